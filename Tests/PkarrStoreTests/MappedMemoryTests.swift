import Foundation
import Testing

@testable import PkarrStore

/// One after the other: what is mapped is known for the process only.
@Suite("Mapped memory", .serialized)
struct MappedMemoryTests {
  @Test("pages of the file are let go beyond the limit")
  func mappedMemory() async throws {
    let directory = TemporaryDirectory()
    let store = try directory.open(capacity: 30_000) { $0.mappedMemoryLimit = nil }
    for key in 0..<30_000 {
      store.offer(Sample.packet(key, length: 1000))
      if key % 2000 == 0 { try await store.flush() }
    }
    store.close()
    // The file has more than 40 MB; nothing else of this process is mapped and unmapped by that much.
    let unlimited = try directory.open(capacity: 30_000) { $0.mappedMemoryLimit = nil }
    let before = try #require(MappedMemory.mappedBytes())
    for key in 0..<30_000 { _ = unlimited.peek(Sample.key(key)) }
    let grown = try #require(MappedMemory.mappedBytes()) - before
    #expect(grown > 30 << 20)
    unlimited.close()
    let limited = try directory.open(capacity: 30_000) { $0.mappedMemoryLimit = 1 << 20 }
    for round in 0..<2 {
      for key in 0..<30_000 { #expect(limited.peek(Sample.key(key)) != nil, "round \(round)") }
    }
    // The thread that lets go may come late.
    try await eventually("pages are let go") { (MappedMemory.mappedBytes() ?? .max) - before < grown / 2 }
    limited.close()
  }

  @Test("pages that are read again and again stay mapped, while their neighbours are let go")
  func hotPages() throws {
    let directory = TemporaryDirectory()
    let filling = try directory.open(capacity: 30_000) { $0.mappedMemoryLimit = nil }
    for key in 0..<30_000 {
      while filling.statistics.waitingWrites > 3000 { usleep(1000) }
      filling.offer(Sample.packet(key, length: 1000))
    }
    filling.close()
    // 2000 packets lie on 8 MB of the 40, but there is one near every place.
    let store = try directory.open(capacity: 30_000) { $0.mappedMemoryLimit = 16 << 20 }
    var faults = Int.max
    for _ in 0..<500 where faults > 20 {
      faults = Self.faults { for key in 0..<2000 { #expect(store.peek(Sample.key(key)) != nil) } }
      // The thread that lets go may come late.
      usleep(1000)
    }
    #expect(faults <= 20)
    store.close()
  }

  /// Pages that had to be mapped for this thread meanwhile.
  private static func faults(of body: () -> Void) -> Int {
    func count() -> Int {
      var usage = rusage()
      // RUSAGE_THREAD
      getrusage(__rusage_who_t(1), &usage)
      return usage.ru_minflt
    }
    let before = count()
    body()
    return count() - before
  }

  @Test("which pages were read is known for each, until it is forgotten, and for one map")
  func touchedPages() {
    let page = TouchedPages.pageSize
    let map = 7 * page..<207 * page
    var touched = TouchedPages()
    touched.mark(9 * page)
    #expect(touched.untouched(map) == [map], "nobody wanted to know")
    touched.cover(map)
    for address in [7 * page, 70 * page + 5, 71 * page, 206 * page + 4095, 0, 6 * page, 207 * page + 64 * page, .max] {
      touched.mark(address)
    }
    #expect(touched.untouched(map) == [8 * page..<70 * page, 72 * page..<206 * page])
    #expect(touched.untouched(70 * page..<72 * page).isEmpty)
    touched.forget()
    #expect(touched.untouched(map) == [map])
    touched.mark(100 * page)
    touched.cover(0..<100 * page)
    #expect(touched.untouched(0..<100 * page) == [0..<100 * page])
  }
}
