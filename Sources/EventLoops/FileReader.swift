import Glibc

/// Reads whole files of bounded size.
public enum FileReader {
  /// The first `limit` bytes of a file. Throws if it cannot be read.
  public static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    let operation = "the file cannot be read"
    // The C string would end there.
    guard !path.utf8.contains(0) else { throw SystemError(code: ENOENT, operation: operation) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError(code: errno, operation: operation) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &piece, min(piece.count, limit - bytes.count))
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError(code: errno, operation: operation)
      }
      bytes += piece[..<count]
    }
    return bytes
  }
}
