import HTTP

/// The path of a request below the folder of a site.
struct SitePath: Hashable {
  /// Names between slashes, without one in front; empty for the folder itself.
  let text: String
  /// True if the path ends in a slash, and so means a folder.
  let isFolder: Bool

  /// Takes a path apart; nil if nothing may be there for strangers: `.` and `..`, names that begin with a dot, empty ones,
  /// and those that hold a slash or NUL, however they are encoded.
  init?(_ target: HTTPTarget) {
    guard var segments = target.segments else { return nil }
    isFolder = segments.last == ""
    if isFolder { segments.removeLast() }
    for segment in segments where segment.isEmpty || segment.utf8.first == UInt8(ascii: ".") || Self.isForeign(segment)
    {
      return nil
    }
    text = segments.joined(separator: "/")
  }

  private static func isForeign(_ segment: String) -> Bool {
    segment.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
  }

  /// The page of a folder.
  var index: String { text.isEmpty ? "index.html" : "\(text)/index.html" }
}
