import Configuration
import EventLoops
import Glibc

extension RelayConfiguration {
  /// Reads a file (TOML). Relative paths in it belong to the directory that it lies in, after symbolic links.
  ///
  /// Throws `ConfigurationError` for a file that cannot be read, for a mistake in it, and if the directory that `cache.path`
  /// names in relative form does not exist.
  public static func load(_ path: String) throws(ConfigurationError) -> RelayConfiguration {
    let bytes: [UInt8]
    do throws(SystemError) {
      // One byte more than the decoder takes, so that it sees what is too much.
      bytes = try FileReader.read(path, limit: (1 << 20) + 1)
    } catch {
      throw ConfigurationError(file: path, key: "", message: "\(error)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationError(file: path, key: "", message: "the file is not UTF-8 text")
    }
    guard let real = ConfigurationDirectory.real(path), let slash = real.utf8.lastIndex(of: UInt8(ascii: "/")) else {
      let error = SystemError(code: errno, operation: "its directory cannot be found")
      throw ConfigurationError(file: path, key: "", message: "\(error)")
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
}
