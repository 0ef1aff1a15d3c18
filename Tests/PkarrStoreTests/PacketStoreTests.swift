import Cryptography
import Foundation
import Pkarr
import Testing

@testable import PkarrStore

@Suite("Packet store")
struct PacketStoreTests {
  @Test("packets and the order of their use survive a restart")
  func restart() async throws {
    let directory = TemporaryDirectory()
    var store = try directory.open(capacity: 5)
    #expect(store.openedFresh == .firstUse)
    for key in 0..<5 { store.offer(Sample.packet(key, lastSeen: UInt64(key))) }
    // The last thing before the end is a read.
    #expect(store.packet(for: Sample.key(0)) != nil)
    store.close()
    store = try directory.open(capacity: 5)
    #expect(store.openedFresh == nil && store.count == 5)
    #expect(store.peek(Sample.key(3)) == Sample.packet(3, lastSeen: 3))
    for key in 5..<8 { store.offer(Sample.packet(key)) }
    try await store.flush()
    #expect(store.keys(8) == [0, 4, 5, 6, 7])
    store.close()
  }

  @Test("reads move a packet only once others have been used, a quarter of the capacity by default")
  func slack() async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open(capacity: 80) { $0.recencySlack = nil }
    for key in 0..<80 { store.offer(Sample.packet(key)) }
    try await store.flush()
    // Twenty others were used since 59 was, one more since 58 was.
    for key in [59, 58] { for _ in 0..<100 { #expect(store.packet(for: Sample.key(key)) != nil) } }
    for key in 100..<160 { store.offer(Sample.packet(key)) }
    try await store.flush()
    #expect(store.peek(Sample.key(58)) != nil && store.peek(Sample.key(59)) == nil)
    store.close()
  }

  @Test("a smaller capacity is reached by dropping what was used least recently")
  func smallerCapacity() async throws {
    let directory = TemporaryDirectory()
    var store = try directory.open(capacity: 2000)
    for key in 0..<2000 { store.offer(Sample.packet(key)) }
    store.close()
    store = try directory.open(capacity: 30)
    #expect(store.count == 30)
    try await eventually("the rest is dropped") { store.statistics.evictions == 1970 }
    #expect(store.keys(2000) == Array(1970..<2000))
    store.close()
    store = try directory.open(capacity: 0)
    try await eventually("everything is dropped") { store.statistics.evictions == 30 }
    store.close()
  }

  @Test("a second store of one directory is refused, and the first goes on")
  func secondOpener() async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open()
    store.offer(Sample.packet(1))
    let error = #expect(throws: StoreError.self) { try directory.open() }
    #expect(error == .inUse(directory: directory.path))
    #expect(error?.description.contains("in use") == true)
    #expect(try await store.store(Sample.packet(2)) == .stored)
    #expect(store.count == 2)
    store.close()
    try directory.open().close()
  }

  @Test("a closed store reads nothing and says so when it is to write; what was offered is there next time")
  func closing() async throws {
    let directory = TemporaryDirectory()
    var store = try directory.open(capacity: 10_000)
    for key in 0..<3000 { store.offer(Sample.packet(key)) }
    store.close()
    store.close()
    #expect(store.packet(for: Sample.key(1)) == nil && store.offer(Sample.packet(1)) == .stored)
    await #expect(throws: StoreError.closed) { _ = try await store.store(Sample.packet(1)) }
    await #expect(throws: StoreError.closed) { try await store.flush() }
    store.remove(Sample.key(1))
    store = try directory.open(capacity: 10_000)
    #expect(store.count == 3000 && store.keys(3000).count == 3000)
    store.close()
  }

  @Test("a store that is let go without being closed has written everything")
  func deinitialisation() throws {
    let directory = TemporaryDirectory()
    do {
      let store = try directory.open()
      for key in 0..<100 { store.offer(Sample.packet(key)) }
    }
    let store = try directory.open()
    #expect(store.openedFresh == nil && store.count == 100)
    store.close()
  }

  @Test("closing ends all who wait")
  func closingWithWaiters() async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open(capacity: 1000) { $0.queueLimit = 4 }
    let outcomes = await withTaskGroup(of: Result<CacheUpdate, StoreError>.self) { group in
      for key in 0..<200 {
        group.addTask {
          do throws(StoreError) { return .success(try await store.store(Sample.packet(key))) } catch {
            return .failure(error)
          }
        }
      }
      store.close()
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.count == 200 && outcomes.allSatisfy { $0 == .success(.stored) || $0 == .failure(.closed) })
    let reopened = try directory.open(capacity: 1000)
    #expect(reopened.count == outcomes.count { $0 == .success(.stored) })
    reopened.close()
  }

  @Test("with more to write than the queue holds, those who store wait and lose nothing")
  func pressure() async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open(capacity: 5000) { $0.queueLimit = 8 }
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<16 {
        group.addTask {
          for step in 0..<100 {
            await #expect(throws: Never.self) { _ = try await store.store(Sample.packet(task * 100 + step)) }
          }
        }
      }
    }
    #expect(store.count == 1600 && store.keys(1600).count == 1600)
    #expect(store.statistics.writeErrors == 0 && store.statistics.waitingWrites == 0)
    #expect(store.statistics.oldestWaitingWrite == nil)
    store.close()
  }

  @Test("files of another implementation in the directory stay as they are")
  func neighbours() throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
    for name in ["data.mdb", "lock.mdb"] { try directory.write([1, 2, 3], to: directory.path + "/" + name) }
    let store = try directory.open()
    store.offer(Sample.packet(1))
    store.close()
    for name in ["data.mdb", "lock.mdb"] { #expect(try directory.bytes(directory.path + "/" + name) == [1, 2, 3]) }
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    #expect(names == ["data.mdb", "lock.mdb", "packets.mdb", "packets.mdb-lock", "packets.state"])
  }

  @Test("a directory that cannot be is a clear error")
  func impossibleDirectories() throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
    try directory.write([1], to: directory.path + "/file")
    for path in [directory.path + "/file", directory.path + "/file/deeper", "/proc/none"] {
      let error = #expect(throws: StoreError.self) { try PacketStore(directory: path, capacity: 1) }
      guard case .system(let system)? = error else {
        Issue.record("\(path): \(String(describing: error))")
        continue
      }
      #expect(system.description.contains(path.hasPrefix("/proc") ? "/proc/none" : directory.path + "/file"))
    }
    try FileManager.default.createDirectory(atPath: directory.packets, withIntermediateDirectories: true)
    #expect(throws: StoreError.self) { try directory.open() }
  }

  @Test("readers see whole packets while others are written, and mapping anew does not disturb them")
  func readersDuringGrowth() async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open(capacity: 20_000) { $0.mappedMemoryLimit = 1 << 20 }
    for key in 0..<50 { store.offer(Sample.packet(key, version: 1, length: 1000)) }
    let before = store.statistics.bytesOnDisk
    let isDone = AsyncFlag()
    // Made once: finding the point of a key costs more than reading its packet.
    let samples = (0..<50).map { (key: Sample.key($0), byte: Sample.packet($0).bytes[5]) }
    await withTaskGroup(of: Int.self) { group in
      for reader in 0..<3 {
        group.addTask {
          var reads = 0
          while !isDone.isSet || reads == 0 {
            let sample = samples[reads % samples.count]
            let length = store.withCachedForm(for: sample.key) { $0.byteCount }
            #expect(length == 8 + 104 + 1000)
            #expect(store.packet(for: sample.key)?.bytes[5] == sample.byte, "reader \(reader)")
            reads += 1
            // There may be fewer threads than readers, and the writing task needs one.
            await Task.yield()
          }
          return reads
        }
      }
      group.addTask {
        for key in 50..<3000 {
          store.offer(Sample.packet(key, length: 1000))
          if key % 250 == 0 {
            for hot in 0..<50 { store.offer(Sample.packet(hot, version: UInt64(key), length: 1000)) }
            await #expect(throws: Never.self) { try await store.flush() }
          }
        }
        isDone.set()
        return 1
      }
      for await count in group { #expect(count > 0) }
    }
    #expect(store.count == 3000)
    #expect(store.statistics.bytesOnDisk > before)
    store.close()
  }
}

/// Something that happens once.
final class AsyncFlag: @unchecked Sendable {
  private let lock = NSLock()
  private var value = false

  var isSet: Bool { lock.withLock { value } }
  func set() { lock.withLock { value = true } }
}
