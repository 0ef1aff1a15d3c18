import Glibc

/// Bounds how much of the file is mapped into this process.
///
/// Mapped pages are pages of the system's cache, which takes them back when it needs memory; but they count as memory of
/// this process, and a store that is read at random comes to have all of its file mapped: with each page that is read the
/// system maps its neighbours. What is beyond the limit is let go, round and round like the hand of a clock: first what
/// nobody has read (``TouchedPages``), and once a round finds no more of that, what was not read since then. The cache
/// keeps what is let go, and the next read of such a page costs a microsecond more. To let go of everything at once would
/// keep those who share the processor from reading meanwhile.
struct MappedMemory {
  /// The system maps up to 16 pages around one that is read.
  static let bytesOfOneFault = 16 * 4096
  /// What the hand passes at a time.
  private static let stretch: UInt = 1 << 20
  /// What it passes before others may read.
  private static let stretchesPerLook = 64
  /// Fewer pages than this, between others that were read, are not worth a call.
  private static let fewPages = 4 * Int(TouchedPages.pageSize)

  private let environment: Environment
  private let limit: Int
  /// Where the file is mapped, and how large it was when that was found out.
  private var map: (range: Range<UInt>?, size: Int) = (nil, 0)
  /// Where the next stretch begins, counted from the beginning of the map.
  private var hand: UInt = 0
  /// Bytes that the hand has passed since it found enough.
  private var passed: UInt = 0
  /// Whole rounds, one after the other, in which it did not.
  private var vainRounds = 0
  /// What stays mapped when all of the file was let go: other files of the process.
  private var rest = 0
  /// Looks, one after the other, that found no more mapped than is wanted.
  private var quietLooks = 0

  init(_ environment: Environment, limit: Int) {
    self.environment = environment
    self.limit = limit
  }

  /// What is let go at once: a 256th of the limit.
  private var portion: Int { limit / 256 }
  /// Reads that map no more than that anew.
  private var step: Int { max(16, portion / Self.bytesOfOneFault) }

  /// Lets go of what is mapped beyond the limit, and a little more. Returns after how many reads to look again.
  mutating func trim(_ state: Monitor<StoreState>) -> Int {
    guard let mapped = Self.mappedBytes() else { return step }
    let enough = max(limit, rest + limit / 2)
    guard mapped > enough else {
      // While nothing grows it need not be looked at so often: at worst a 32nd of the limit comes unseen.
      quietLooks = min(quietLooks + 1, 3)
      return max(step << quietLooks, (enough - mapped) / Self.bytesOfOneFault)
    }
    quietLooks = 0
    guard let range = mapRange(state) else { return step }
    var surplus = mapped - enough + portion
    for _ in 0..<Self.stretchesPerLook {
      // Some of what is let go may not be mapped.
      surplus -= passStretch(of: range, state)
      if surplus <= 0, let mapped = Self.mappedBytes() {
        surplus = mapped - enough + portion
        if surplus <= 0 {
          (passed, vainRounds) = (0, 0)
          break
        }
      }
      if passed >= range.count, endRound(state) { break }
    }
    return step
  }

  /// Lets go of a stretch of the file; of how many bytes.
  private mutating func passStretch(of map: Range<UInt>, _ state: Monitor<StoreState>) -> Int {
    if hand >= map.count { hand = 0 }
    let start = map.lowerBound + hand
    let end = min(start + Self.stretch, map.upperBound)
    var bytes = 0
    for pages in state.withLock({ $0.touched.untouched(start..<end) }) where pages.count >= Self.fewPages {
      // Changed pages are the cache's business: of a shared map nothing is lost.
      madvise(UnsafeMutableRawPointer(bitPattern: pages.lowerBound), pages.count, MADV_DONTNEED)
      bytes += pages.count
    }
    hand += end - start
    passed += end - start
    return bytes
  }

  /// A whole round was in vain; true if it was the second one, and there is nothing left to let go of.
  private mutating func endRound(_ state: Monitor<StoreState>) -> Bool {
    passed = 0
    vainRounds += 1
    state.withLock { $0.touched.forget() }
    guard vainRounds == 2 else { return false }
    (rest, vainRounds) = (Self.mappedBytes() ?? 0, 0)
    return true
  }

  /// Where the file is mapped, which changes with its size.
  private mutating func mapRange(_ state: Monitor<StoreState>) -> Range<UInt>? {
    if map.size != environment.size {
      map = (environment.mapRange(), environment.size)
      if let range = map.range { state.withLock { $0.touched.cover(range) } }
    }
    return map.range
  }

  /// Bytes of files that this process has mapped and that are in memory (`/proc/self/statm`, third field).
  static func mappedBytes() -> Int? {
    guard let text = SmallFile.text("/proc/self/statm", limit: 256) else { return nil }
    let words = text.split(separator: " ")
    guard words.count > 2, let pages = Int(words[2]) else { return nil }
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }
}
