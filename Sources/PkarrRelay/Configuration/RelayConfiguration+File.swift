import Configuration

extension RelayConfiguration {
  /// Reads a file (TOML). Relative paths in it belong to the directory that it lies in, after symbolic links.
  ///
  /// Throws `ConfigurationError` for a file that cannot be read, for a mistake in it, and if the directory that `cache.path`
  /// names in relative form does not exist.
  public static func load(_ path: String) throws(ConfigurationError) -> RelayConfiguration {
    try ConfigurationFile.load(Self.self, path)
  }

  /// Reads a text (TOML). Relative paths in it stay as they are.
  ///
  /// Throws `ConfigurationError` for a mistake in it; `file` names the text there.
  public static func parse(_ text: String, file: String = "configuration") throws(ConfigurationError) -> Self {
    try ConfigurationDecoder().decode(from: text, file: file)
  }
}
