import EventLoops
import Glibc

/// The small file that says who has the store open and whether what it holds can be relied on.
///
/// LMDB without synchronous writes survives the death of the process, for the system keeps its pages; it does not survive
/// the death of the system. So before the first write after a quiet time this file says `open` and names the boot of the
/// system (`/proc/sys/kernel/random/boot_id`); once everything is on the disk it says `clean`. Whoever finds `open` with
/// the name of another boot knows that power was lost in between.
///
///     pkarr-store 1
///     open 3b6f8f2e-…
///
/// It is also the lock: `flock` on it is held while the store is open, and dies with the process.
final class StateFile: @unchecked Sendable {
  enum Mark: Equatable {
    /// The file is new.
    case none
    /// All that was written is on the disk.
    case clean
    /// There were writes since; this boot of the system.
    case open
    /// There were writes since; another boot, or nobody knows which.
    case openInAnotherBoot
    /// Of a version that is not ours, or no text of ours at all.
    case unreadable
  }

  /// Changes whenever the files' contents mean something else.
  private static let heading = "pkarr-store 1\n"
  /// So small that the disk writes it whole or not at all.
  private static let length = 128

  private let descriptor: Int32
  private let path: String
  private let boot: String
  /// What the file said when it was opened.
  let found: Mark
  /// What it says now. Only who opens the store, and then only the thread that writes, touches it.
  private var says: Mark

  /// Locks the file, which is made if need be, and reads it.
  ///
  /// - Throws: ``StoreError/inUse(directory:)``, or `.system`.
  init(_ directory: Directory, bootIdentifierPath: String) throws(StoreError) {
    path = directory.state
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .system(SystemError(code: errno, operation: "open \(path)")) }
    // Deinit, which closes, runs only for what is complete.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      if code == EWOULDBLOCK { throw .inUse(directory: directory.path) }
      throw .system(SystemError(code: code, operation: "lock \(path)"))
    }
    boot = Self.text(bootIdentifierPath) ?? ""
    found = Self.parse(descriptor, boot: boot)
    says = found
  }

  deinit { close(descriptor) }

  private static func text(_ path: String) -> String? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return text(descriptor)
  }

  /// What is at the beginning of a file, without space at the end.
  private static func text(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: length)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress!, $0.count, 0) }
    var used = bytes[..<max(0, count)]
    while let last = used.last, last <= UInt8(ascii: " ") { used.removeLast() }
    return String(decoding: used, as: UTF8.self)
  }

  private static func parse(_ descriptor: Int32, boot: String) -> Mark {
    let text = text(descriptor)
    if text.isEmpty { return .none }
    guard text.hasPrefix(heading) else { return .unreadable }
    let words = text.dropFirst(heading.count).split(separator: " ", omittingEmptySubsequences: false)
    switch words.first {
    case "clean" where words.count == 1: return .clean
    case "open" where words.count == 1: return .openInAnotherBoot
    case "open" where words.count == 2: return words[1] == boot[...] ? .open : .openInAnotherBoot
    default: return .unreadable
    }
  }

  /// True if everything that was ever written is on the disk.
  var isClean: Bool { says == .clean }

  /// Says that there are writes which the disk may not have; on the disk when this returns.
  func markOpen() throws(StoreError) {
    guard says != .open else { return }
    try write(boot.isEmpty ? "open" : "open \(boot)")
    says = .open
  }

  /// Says that everything is on the disk.
  func markClean() throws(StoreError) {
    guard says != .clean else { return }
    try write("clean")
    says = .clean
  }

  private func write(_ state: String) throws(StoreError) {
    var bytes = Array((Self.heading + state).utf8.prefix(Self.length - 1))
    bytes += Array(repeating: UInt8(ascii: " "), count: Self.length - 1 - bytes.count) + [UInt8(ascii: "\n")]
    let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress!, $0.count, 0) }
    guard count == bytes.count, fdatasync(descriptor) == 0 else {
      throw StoreError(count >= 0 && count != bytes.count ? ENOSPC : errno, "write \(path)")
    }
  }
}
