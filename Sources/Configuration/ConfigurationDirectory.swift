import Glibc

/// The directory that relative paths in a configuration file belong to.
public struct ConfigurationDirectory {
  private static let key = CodingUserInfoKey(rawValue: "directory")!

  /// Nil for a configuration that did not come from a file: paths stay as they are.
  private let directory: String?

  /// The directory that a decoder was given.
  public init(_ decoder: any Decoder) { directory = decoder.userInfo[Self.key] as? String }

  /// What a decoder is to be given for a file in `directory`.
  public static func userInfo(_ directory: String) -> [CodingUserInfoKey: any Sendable] { [key: directory] }

  /// A path as the file means it.
  public func path(_ text: String) -> String {
    guard let directory, !text.hasPrefix("/") else { return text }
    return directory == "/" ? "/" + text : directory + "/" + text
  }

  /// A path as the file means it, without symbolic links if it is relative; nil if it is relative and nothing is there.
  public func existingPath(_ text: String) -> String? {
    guard directory != nil, !text.hasPrefix("/") else { return text }
    return Self.real(path(text))
  }

  /// A path without symbolic links, `.` and `..`; nil if there is nothing.
  public static func real(_ path: String) -> String? {
    // The C string would end there.
    guard !path.utf8.contains(0), let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
