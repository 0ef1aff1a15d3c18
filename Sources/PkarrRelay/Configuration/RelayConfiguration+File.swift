import Configuration
import EventLoops
import Glibc

extension RelayConfiguration {
  /// Reads a file (TOML). Relative paths in it belong to the directory that it lies in, after symbolic links.
  ///
  /// Throws `ConfigurationError` for a file that cannot be read, for a mistake in it, and if the directory that `cache.path`
  /// names in relative form does not exist.
  public static func load(_ path: String) throws(ConfigurationError) -> RelayConfiguration {
    let text = try read(path)
    guard let real = ConfigurationDirectory.real(path), let slash = real.utf8.lastIndex(of: UInt8(ascii: "/")) else {
      throw failure(path, errno)
    }
    let directory = slash == real.startIndex ? "/" : String(real[..<slash])
    return try ConfigurationDecoder(userInfo: ConfigurationDirectory.userInfo(directory)).decode(from: text, file: path)
  }

  /// Reads a text (TOML). Relative paths in it stay as they are.
  ///
  /// Throws `ConfigurationError` for a mistake in it; `file` names the text there.
  public static func parse(_ text: String, file: String = "configuration") throws(ConfigurationError) -> Self {
    try ConfigurationDecoder().decode(from: text, file: file)
  }

  private static func read(_ path: String) throws(ConfigurationError) -> String {
    guard !path.utf8.contains(0) else { throw failure(path, ENOENT) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path, errno) }
    defer { close(descriptor) }
    // One byte more than the decoder takes, so that it sees what is too much.
    let limit = (1 << 20) + 1
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &piece, min(piece.count, limit - bytes.count))
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure(path, errno)
      }
      bytes += piece[..<count]
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationError(file: path, key: "", message: "the file is not UTF-8 text")
    }
    return text
  }

  private static func failure(_ path: String, _ code: Int32) -> ConfigurationError {
    ConfigurationError(file: path, key: "", message: "\(SystemError(code: code, operation: "the file cannot be read"))")
  }
}
