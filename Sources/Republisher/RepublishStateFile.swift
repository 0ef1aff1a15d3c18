import Cryptography
import EventLoops
import Glibc
import WireFormat

/// The file of a ``RepublishState``. It is replaced in one step, so an interrupted write leaves the old one.
public struct RepublishStateFile: Hashable, Sendable {
  /// Where it is.
  public let path: String

  /// Bytes that are read at most: a million keys without packets, or 100,000 with the largest ones.
  private static let sizeLimit = 256 << 20

  /// Names the file, which need not exist.
  public init(_ path: String) { self.path = path }

  /// Reads it; an empty state if there is none yet.
  ///
  /// - Throws: `SystemError` if it cannot be read, or is something else: then nothing is ever written over it.
  public func read() throws(SystemError) -> RepublishState {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT { return RepublishState() }
      throw SystemError(code: errno, operation: "open \(path)")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw SystemError(code: errno, operation: "open \(path)") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError(code: EINVAL, operation: "open \(path)") }
    guard status.st_size <= Self.sizeLimit else { throw SystemError(code: EFBIG, operation: "read \(path)") }
    let bytes = try Self.read(descriptor, count: Int(status.st_size), path)
    if bytes.isEmpty { return RepublishState() }
    guard let state = RepublishState(bytes.span.bytes) else {
      throw SystemError(code: EINVAL, operation: "read \(path), which is no state of a republisher")
    }
    return state
  }

  private static func read(_ descriptor: Int32, count: Int, _ path: String) throws(SystemError) -> [UInt8] {
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
      while done < count {
        let got = Glibc.read(descriptor, buffer.baseAddress! + done, count - done)
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = errno }
        guard got > 0 else { return }
        done += got
      }
    }
    if failure != 0 { throw SystemError(code: failure, operation: "read \(path)") }
    return bytes
  }

  /// Replaces it; on the disk when this returns. It names keys and holds their packets, so it is for its owner alone.
  ///
  /// - Throws: `SystemError`; the old file is still there then.
  public func write(_ state: RepublishState) throws(SystemError) { try write(state.encoded()) }

  func write(_ bytes: [UInt8]) throws(SystemError) {
    var random = RandomSource.system
    let temporary = "\(path).\(Hex.encode(random.bytes(8))).new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SystemError(code: errno, operation: "create \(temporary)") }
    var code: Int32 = 0
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count, code == 0 {
        let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count > 0 { done += count } else if errno != EINTR { code = count == 0 ? EIO : errno }
      }
    }
    if code == 0, fsync(descriptor) != 0 { code = errno }
    if close(descriptor) != 0, code == 0 { code = errno }
    if code == 0, rename(temporary, path) != 0 { code = errno }
    if code != 0 {
      unlink(temporary)
      throw SystemError(code: code, operation: "write \(path)")
    }
  }
}
