import Pkarr

@testable import PkarrClient

/// Keys and packets to test with.
enum Samples {
  /// The same key every time.
  static let keypair: Keypair = {
    guard let keypair = try? Keypair(seed: [UInt8](repeating: 7, count: 32)) else { fatalError("32 bytes are a seed") }
    return keypair
  }()

  /// A packet of a version, with one text record.
  static func packet(
    _ version: UInt64? = nil, _ text: String = "world", by keypair: Keypair = keypair, ttl: TimeToLive = .minutes(5)
  ) throws -> SignedPacket {
    try SignedPacket(signedBy: keypair, timestamp: version.map { Timestamp(microseconds: $0) }) {
      TXT("_hello", text, ttl: ttl)
    }
  }
}

extension SignedPacket {
  /// The packet, seen so many seconds ago.
  func seen(secondsAgo seconds: UInt64) -> SignedPacket {
    var copy = self
    copy.lastSeen = Timestamp.wallClock.subtracting(seconds: seconds)
    return copy
  }
}
