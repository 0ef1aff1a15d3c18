import EventLoops
import Glibc

/// Reads configurations from files.
public enum ConfigurationFile {
  /// Most bytes of a file.
  private static let sizeLimit = 1 << 20

  /// Reads a file (TOML). Relative paths in it belong to the directory that it lies in, after symbolic links; see
  /// ``ConfigurationDirectory``.
  ///
  /// Throws `ConfigurationError` for a file that cannot be read and for a mistake in it.
  public static func load<Value: Decodable>(_ type: Value.Type, _ path: String) throws(ConfigurationError) -> Value {
    let bytes: [UInt8]
    do throws(SystemError) {
      // One byte more than the decoder takes, so that it sees what is too much.
      bytes = try FileReader.read(path, limit: sizeLimit + 1)
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
}
