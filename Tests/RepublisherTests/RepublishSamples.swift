import Addresses
import EventLoops
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import Testing

@testable import Republisher

/// Keys and packets to test with.
enum RepublishSamples {
  /// The same key every time for a number.
  static func keypair(_ number: Int) throws -> Keypair {
    try Keypair(seed: (0..<32).map { UInt8(truncatingIfNeeded: number >> (8 * ($0 % 4))) ^ UInt8($0) })
  }

  /// A packet with one text record.
  static func packet(_ keypair: Keypair, _ version: UInt64, _ text: String = "world") throws -> SignedPacket {
    try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: version)) { TXT("_hello", text) }
  }

  static func item(_ packet: SignedPacket) throws -> MutableItem { try MutableItem(packet) }

  /// A lookup that asked nodes, each of which holds a version or nothing.
  static func counts(_ versions: [Int64?], holders: Int) -> GetOutcome {
    var counts = GetOutcome()
    counts.queried = versions.count
    counts.noValues = versions.count
    counts.holdersOfNewest = holders
    counts.storageNodes = versions.enumerated().map { index, seq in
      StorageNode(
        contact: NodeContact(id: .zero, endpoint: Endpoint(.loopbackV4, port: UInt16(index + 1))),
        token: [1], seq: seq)
    }
    return counts
  }
}
