import Glibc

/// Bounds how much of the file is mapped into this process.
///
/// Mapped pages are pages of the system's cache, which takes them back when it needs memory; but they count as memory of
/// this process, and a store that is read at random comes to have all of its file mapped. Beyond the limit all of them are
/// let go; the cache keeps them, and the next read of one costs half a microsecond more.
struct MappedMemory {
  /// The system maps up to 16 pages around one that is read.
  static let bytesOfOneFault = 16 * 4096

  private let environment: Environment
  private let limit: Int?
  /// What was mapped after the last trim: other files of the process.
  private var rest = 0

  init(_ environment: Environment, limit: Int?) {
    self.environment = environment
    self.limit = limit
  }

  /// Lets all pages go if too many are mapped.
  mutating func trim() {
    guard let limit, let mapped = Self.mappedBytes(), mapped > max(limit, rest + limit / 2),
      let range = environment.mapRange()
    else { return }
    // Changed pages are the cache's business: of a shared map nothing is lost.
    madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
    rest = Self.mappedBytes() ?? 0
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
