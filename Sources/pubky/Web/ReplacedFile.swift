import CommandLineTool
import Cryptography
import Glibc
import WireFormat

/// A file that is written piece by piece and appears only when it is complete: under another name until then. What was
/// there before stays until that moment. A pipe or a device is written to as it is.
final class ReplacedFile {
  private let path: String
  private let temporary: String?
  private var descriptor: Int32

  /// Begins to write.
  ///
  /// - Parameter mode: permissions of a new file, less the umask; an old one hands its own on.
  /// - Throws: `CommandError` if it cannot be written.
  init(_ path: String, mode: mode_t = 0o666) throws(CommandError) {
    // A link stays one, and leads to the new file.
    let target = realpath(path, nil).map { resolved in
      defer { free(resolved) }
      return String(cString: resolved)
    }
    let file = target ?? path
    self.path = file
    var status = stat()
    let exists = stat(file, &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR { throw Self.unwritable(path, EISDIR) }
    if exists, status.st_mode & S_IFMT != S_IFREG {
      temporary = nil
      descriptor = open(file, O_WRONLY | O_CLOEXEC | O_NOCTTY)
    } else {
      var random = RandomSource.system
      let start = file.lastIndex(of: "/").map { file.index(after: $0) } ?? file.startIndex
      let name = file[start...]
      guard !name.isEmpty else { throw Self.unwritable(path, EISDIR) }
      let new = "\(file[..<start]).\(name.prefix(100)).\(Hex.encode(random.bytes(8)))"
      temporary = new
      descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    }
    guard descriptor >= 0 else { throw Self.unwritable(path, errno) }
    if exists, temporary != nil { fchmod(descriptor, status.st_mode & 0o777) }
  }

  /// What is not complete vanishes.
  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    if let temporary { unlink(temporary) }
  }

  /// Appends bytes.
  ///
  /// - Throws: `CommandError`, as when the disk is full.
  func write(_ bytes: [UInt8]) throws(CommandError) {
    let code = Self.write(bytes, to: descriptor)
    if code != 0 { throw Self.unwritable(path, code) }
  }

  /// Puts the file in its place.
  ///
  /// - Throws: `CommandError`.
  func commit() throws(CommandError) {
    let closed = close(descriptor) == 0 ? 0 : errno
    descriptor = -1
    guard let temporary else { return }
    let code = closed != 0 ? closed : rename(temporary, path) == 0 ? 0 : errno
    if code != 0 {
      unlink(temporary)
      throw Self.unwritable(path, code)
    }
  }

  /// Writes all bytes; 0 or the number of the error.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if count < 0, errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&waiting, 1, -1)
        } else if count == 0 || errno != EINTR {
          return count == 0 ? EIO : errno
        }
      }
      return 0
    }
  }

  private static func unwritable(_ path: String, _ code: Int32) -> CommandError {
    CommandError("output", "\(path) cannot be written: \(Console.text(ofError: code))", exitCode: .refused)
  }
}
