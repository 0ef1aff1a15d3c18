import Glibc

/// Bounds how much of the file is mapped into this process.
///
/// Mapped pages are pages of the system's cache, which takes them back when it needs memory; but they count as memory of
/// this process, and a store that is read at random comes to have all of its file mapped. What is beyond the limit is let
/// go, a stretch of the file after another, round and round; the cache keeps it, and the next read of a page costs half a
/// microsecond more. To let go of everything at once would keep those who share the processor from reading meanwhile.
struct MappedMemory {
  /// The system maps up to 16 pages around one that is read.
  static let bytesOfOneFault = 16 * 4096
  /// What is let go at a time.
  private static let stretch: UInt = 4 << 20

  private let environment: Environment
  private let limit: Int?
  /// Where the file is mapped, and how large it was when that was found out.
  private var map: (range: Range<UInt>?, size: Int) = (nil, 0)
  /// Where the next stretch begins, counted from the beginning of the map.
  private var hand: UInt = 0
  /// What was mapped when all of the file had been let go: other files of the process.
  private var rest = 0

  init(_ environment: Environment, limit: Int?) {
    self.environment = environment
    self.limit = limit
  }

  /// Lets go of as much of the file as is mapped beyond the limit.
  mutating func trim() {
    guard let limit, var mapped = Self.mappedBytes() else { return }
    let enough = max(limit, rest + limit / 2)
    guard mapped > enough, let range = mapRange() else { return }
    var left = UInt(range.count)
    while mapped > enough, left > 0 {
      if hand >= range.count { hand = 0 }
      let count = min(Self.stretch, UInt(range.count) - hand)
      // Changed pages are the cache's business: of a shared map nothing is lost.
      madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound + hand), Int(count), MADV_DONTNEED)
      hand += count
      left -= min(left, count)
      mapped = Self.mappedBytes() ?? 0
    }
    if left == 0 { rest = mapped }
  }

  /// Where the file is mapped, which changes with its size.
  private mutating func mapRange() -> Range<UInt>? {
    if map.size != environment.size { map = (environment.mapRange(), environment.size) }
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

/// Files of the system that are read whole.
enum SmallFile {
  /// The text of a file, cut after `limit` bytes; nil if it cannot be read.
  static func text(_ path: String, limit: Int) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while bytes.count < limit {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress!, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes.prefix(limit), as: UTF8.self)
  }
}
