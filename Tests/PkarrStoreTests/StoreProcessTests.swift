import Foundation
import Pkarr
import Testing

@testable import PkarrStore

/// Stores in processes that end in all ways.
@Suite("Packet store and other processes", .serialized)
struct StoreProcessTests {
  @Test("a store that another process has open is refused until that process ends, however it ends")
  func secondProcess() async throws {
    let directory = TemporaryDirectory()
    for isKilled in [false, true] {
      let other = try StoreWriterProcess("hold", directory.path)
      try await other.waitForLines(1)
      #expect(throws: StoreError.inUse(directory: directory.path)) { try directory.open() }
      if isKilled { other.kill() } else { other.endInput() }
      _ = try await other.end()
      let store = try directory.open(capacity: 10)
      #expect(store.openedFresh == nil)
      store.close()
    }
  }

  @Test("whatever was acknowledged is there after the process was killed in the middle of writing")
  func killed() async throws {
    let directory = TemporaryDirectory()
    var acknowledged: [String: UInt64] = [:]
    var lines = 0
    for round in 1...30 {
      // Some rounds run against the capacity, so that packets are dropped while the process dies.
      let capacity = round % 3 == 0 ? 200 : 10_000
      let writer = try StoreWriterProcess("write", directory.path, "\(capacity)", "\(round)")
      try await writer.waitForLines(1 + round * 37 % 500)
      writer.kill()
      for line in try await writer.end() where line != "open" {
        let words = line.split(separator: " ").map(String.init)
        let version = try #require(words.count == 2 ? UInt64(words[1]) : nil)
        lines += 1
        acknowledged[words[0]] = max(version, acknowledged[words[0]] ?? 0)
      }
      let store = try directory.open(capacity: 10_000)
      #expect(store.openedFresh == nil, "round \(round): \(String(describing: store.openedFresh))")
      for (key, version) in acknowledged {
        guard let packet = store.peek(try PublicKey(parsing: key).target) else {
          // Only a full store drops what it has acknowledged.
          #expect(capacity == 200, "round \(round)")
          acknowledged[key] = nil
          continue
        }
        // A packet that was on its way may have come without being acknowledged.
        #expect(packet.timestamp.microseconds >= version, "round \(round)")
        #expect(throws: Never.self) { try SignedPacket(packet.bytes) }
      }
      #expect(capacity != 200 || store.count >= min(200, acknowledged.count))
      store.close()
    }
    #expect(lines > 5000)
  }

  @Test("a file that may not grow makes old packets give way, and never ends the process")
  func fileSizeLimit() async throws {
    let directory = TemporaryDirectory()
    let writer = try StoreWriterProcess("fill", directory.path, "100000", "6000", "\(4 << 20)")
    let words = try #require(try await writer.end().last).split(separator: " ").compactMap { Int($0) }
    try #require(words.count == 3)
    let (kept, evicted, failed) = (words[0], words[1], words[2])
    #expect(kept > 1000 && evicted > 1000 && failed == 0 && kept + evicted == 6000)
    let store = try directory.open(capacity: 100_000)
    #expect(store.openedFresh == nil && store.count == kept)
    store.close()
  }
}
