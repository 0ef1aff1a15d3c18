import EventLoops
import Glibc

/// Small files of certificates and keys.
enum PEMFile {
  /// More than the largest bundle of authorities.
  private static let largest = 4 << 20

  /// The whole file.
  ///
  /// - Throws: `.configuration`, naming the file, if it cannot be read or is larger than 4 MiB.
  static func read(_ path: String) throws(TLSError) -> [UInt8] {
    guard let bytes = try readIfPresent(path) else { throw failure(ENOENT, path) }
    return bytes
  }

  /// The whole file; nil if there is none.
  static func readIfPresent(_ path: String) throws(TLSError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 {
      if errno == ENOENT { return nil }
      throw failure(errno, path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(errno, path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw TLSError(.configuration, "\(path) is not a file") }
    guard status.st_size <= largest else { throw TLSError(.configuration, "\(path) is larger than 4 MiB") }
    var bytes = [UInt8]()
    bytes.reserveCapacity(Int(status.st_size))
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw failure(errno, path)
      }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= largest else { throw TLSError(.configuration, "\(path) is larger than 4 MiB") }
    }
  }

  /// Writes a file so that at every moment the old or the new one is there whole, with `mode` from the first byte on.
  static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(TLSError) {
    let temporary = "\(path).\(getpid()).new"
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw failure(errno, temporary) }
    var written = 0
    var code: Int32 = 0
    while written < bytes.count, code == 0 {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
      if count >= 0 { written += count } else if errno != EINTR { code = errno }
    }
    // Whatever umask says.
    if code == 0, fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0 { code = errno }
    if close(descriptor) != 0, code == 0 { code = errno }
    if code == 0, rename(temporary, path) != 0 { code = errno }
    if code != 0 {
      unlink(temporary)
      throw failure(code, path)
    }
  }

  /// Makes a folder and those above it, for its owner only; one that is there stays as it is.
  static func makeFolder(_ path: String) throws(TLSError) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw failure(errno, path)
    }
    // Not recursive: the parts from the top on.
    var end = path.startIndex
    while end != path.endIndex {
      end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
      guard mkdir(String(path[..<end]), 0o700) == 0 || errno == EEXIST else { throw failure(errno, path) }
    }
  }

  static func failure(_ code: Int32, _ path: String) -> TLSError {
    TLSError(.configuration, SystemError(code: code, operation: path).description)
  }
}
