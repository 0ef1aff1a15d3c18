import Cryptography
import Foundation
import TestSupport
import Testing

@testable import Pkarr
@testable import PkarrStore

/// Packets without a signature that would hold: caches do not look at it, and thousands are made in no time.
enum Sample {
  /// The packet of a key, of a version, with so many bytes of DNS message (35…1000).
  static func packet(
    _ key: Int, version: UInt64 = 1, length: Int = 100, lastSeen: UInt64 = 1, fill: UInt8 = 0x41
  ) -> SignedPacket {
    var message: [UInt8] = [0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    var text: [UInt8] = []
    var left = length - 23
    while left > 0 {
      let count = min(left, 256)
      text += [UInt8(count - 1)] + Array(repeating: fill, count: count - 1)
      left -= count
    }
    message += [0, 0, 16, 0, 1, 0, 0, 0, 60, UInt8(text.count >> 8), UInt8(text.count & 255)] + text
    let (publicKey, _) = identity(key)
    let bytes =
      publicKey.bytes + Array(repeating: UInt8(key & 255), count: 64) + Timestamp(microseconds: version).bytes + message
    return SignedPacket(checked: bytes, publicKey: publicKey, lastSeen: Timestamp(microseconds: lastSeen))
  }

  static func key(_ number: Int) -> CacheKey { identity(number).1 }

  /// Bytes that are a key or not, and what they are filed under. Whether they are a point is for those who verify.
  private static func identity(_ number: Int) -> (PublicKey, CacheKey) {
    var random = RandomSource(seed: UInt64(number))
    let bytes = random.bytes(32)
    guard let key = Ed25519.PublicKey(trusting: bytes.span.bytes) else { fatalError("32 bytes are a key") }
    return (PublicKey(key), SHA1.hash(bytes))
  }
}

extension PacketCache {
  /// Versions of the packets of the first keys, nil where there is none.
  func versions(_ count: Int) -> [UInt64?] { (0..<count).map { peek(Sample.key($0))?.timestamp.microseconds } }

  /// Which of the first keys are there.
  func keys(_ count: Int) -> [Int] { (0..<count).filter { peek(Sample.key($0)) != nil } }
}

/// A directory of a test, gone after it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.appending(path: "pubky-store-\(UUID().uuidString)").path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var packets: String { path + "/packets.mdb" }
  var state: String { path + "/packets.state" }

  func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
  func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

  /// Opens the store in it, with an exact order of uses.
  func open(
    capacity: Int = 1000, boot: String? = nil, _ change: (inout PacketStore.Configuration) -> Void = { _ in }
  ) throws -> PacketStore {
    var configuration = PacketStore.Configuration()
    configuration.recencySlack = 0
    change(&configuration)
    return try PacketStore(
      directory: path, capacity: capacity, configuration: configuration,
      bootIdentifierPath: boot ?? "/proc/sys/kernel/random/boot_id")
  }
}

/// Waits for something that another thread brings about.
func eventually(_ what: String, _ isTrue: () throws -> Bool) async throws {
  for _ in 0..<60_000 {
    if try isTrue() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  Issue.record("\(what): not within ten minutes")
}
