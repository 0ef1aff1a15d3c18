import Foundation
import Glibc
import Pkarr
import Testing

@testable import PkarrStore

/// Stores without room.
@Suite("Packet store on a full disk")
struct DiskFullTests {
  @Test("a file at its limit makes old packets give way", arguments: [1 << 20, 3 << 20, 10 << 20])
  func sizeLimit(limit: Int) async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open(capacity: 1_000_000) { $0.sizeLimit = limit }
    let count = 3 * limit / 1200
    for key in 0..<count {
      store.offer(Sample.packet(key, length: 1000 - key % 700))
      if key % 100 == 99 { try await store.flush() }
    }
    try await store.flush()
    let statistics = store.statistics
    #expect(statistics.bytesOnDisk <= limit && statistics.writeErrors == 0)
    #expect(statistics.count + statistics.evictions == count)
    // Most of the file is packets, and they are the last ones.
    #expect(statistics.count > limit / 4000)
    let kept = store.keys(count)
    #expect(kept.count == statistics.count && kept == Array(count - kept.count..<count))
    store.close()
    let reopened = try directory.open(capacity: 1_000_000) { $0.sizeLimit = limit }
    #expect(reopened.openedFresh == nil && reopened.count == kept.count)
    reopened.close()
  }

  @Test("a smaller capacity is reached in a file without free pages too", arguments: [1 << 20, 3 << 20, 10 << 20])
  func smallerCapacity(limit: Int) async throws {
    let directory = TemporaryDirectory()
    var store = try directory.open(capacity: 1_000_000) { $0.sizeLimit = limit }
    for key in 0..<limit / 1000 { store.offer(Sample.packet(key, length: 600)) }
    try await store.flush()
    let count = store.count
    store.close()
    store = try directory.open(capacity: 30) { $0.sizeLimit = limit }
    try await eventually("the rest is dropped") { store.statistics.evictions == count - 30 }
    #expect(store.count == 30)
    store.close()
  }

  @Test("packets of all sizes that replace each other at the limit are written for ever")
  func churnAtTheLimit() async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open(capacity: 1_000_000) { $0.sizeLimit = 1 << 20 }
    for step in 0..<20_000 {
      let key = step * 7919 % 3000
      store.offer(Sample.packet(key, version: UInt64(step + 1), length: 35 + step * 104_729 % 966))
      if step % 250 == 249 {
        try await store.flush()
        #expect(store.peek(Sample.key(key)) != nil)
      }
    }
    #expect(store.statistics.writeErrors == 0 && store.statistics.bytesOnDisk == 1 << 20)
    #expect(store.count > 200)
    store.close()
    let file = try PageFile(directory.packets)
    #expect(throws: Never.self) { try FileAudit.run(file, pageSize: Int(sysconf(Int32(_SC_PAGESIZE)))) }
  }

  /// A file system of a few megabytes in memory; nil if this process may not make one.
  private final class SmallDisk {
    let path: String

    init?(bytes: Int) {
      path = FileManager.default.temporaryDirectory.appending(path: "pubky-disk-\(UUID().uuidString)").path
      mkdir(path, 0o700)
      guard mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0 else {
        rmdir(path)
        return nil
      }
    }

    deinit {
      umount2(path, Int32(MNT_DETACH))
      rmdir(path)
    }

    static var isPossible: Bool { SmallDisk(bytes: 1 << 20) != nil }
  }

  @Test(
    "on a full file system old packets give way, and there is no signal; with room again the file grows",
    .enabled(if: SmallDisk.isPossible, "needs the right to mount"))
  func fullFileSystem() async throws {
    let disk = try #require(SmallDisk(bytes: 8 << 20))
    // Something else takes most of the room, and goes away later.
    let other = disk.path + "/other"
    #expect(FileManager.default.createFile(atPath: other, contents: Data(count: 5 << 20)))
    let store = try PacketStore(directory: disk.path + "/cache", capacity: 1_000_000)
    var step = 0
    func churn(_ count: Int) async throws {
      for _ in 0..<count {
        step += 1
        store.offer(Sample.packet(step, length: 1000))
        if step % 100 == 0 { try await store.flush() }
      }
      try await store.flush()
    }
    try await churn(6000)
    let full = store.statistics
    #expect(full.bytesOnDisk <= 3 << 20 && full.bytesOnDisk > 2 << 20 && full.evictions > 3000 && full.writeErrors == 0)
    #expect(store.peek(Sample.key(step)) != nil)
    try FileManager.default.removeItem(atPath: other)
    try await churn(6000)
    #expect(store.statistics.bytesOnDisk > full.bytesOnDisk && store.count > full.count)
    store.close()
    let reopened = try PacketStore(directory: disk.path + "/cache", capacity: 1_000_000)
    #expect(reopened.openedFresh == nil && reopened.peek(Sample.key(step)) != nil)
    reopened.close()
  }

  @Test(
    "a store that finds no room at all to begin with is an error",
    .enabled(if: SmallDisk.isPossible, "needs the right to mount"))
  func noRoomAtAll() throws {
    let disk = try #require(SmallDisk(bytes: 128 << 10))
    #expect(throws: StoreError.diskFull) { try PacketStore(directory: disk.path, capacity: 10) }
    #expect(StoreError.diskFull.description.contains("no room"))
  }
}
