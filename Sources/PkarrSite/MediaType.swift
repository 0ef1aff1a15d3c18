/// What a browser is told about a file, by the end of its name.
enum MediaType {
  /// The value of `content-type`.
  static func of(_ path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return fallback }
    return types[name[name.index(after: dot)...].lowercased()] ?? fallback
  }

  private static let fallback = "application/octet-stream"

  private static let types: [String: String] = {
    var types: [String: String] = [:]
    for line in table.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard let type = words.first else { continue }
      let isText = type.hasPrefix("text/") || type.hasSuffix("+xml") || type == "application/json"
      for ending in words.dropFirst() { types[String(ending)] = isText ? "\(type); charset=utf-8" : String(type) }
    }
    return types
  }()

  /// The types of the web (IANA's registry), each with the endings of names.
  private static let table = """
    text/html html htm
    text/css css
    text/javascript js mjs
    text/plain txt text log ini conf zone
    text/markdown md
    text/csv csv
    text/calendar ics
    text/vtt vtt
    application/json json map
    application/manifest+json webmanifest
    application/ld+json jsonld
    application/xml xml
    application/atom+xml atom
    application/rss+xml rss
    application/xhtml+xml xhtml
    application/wasm wasm
    application/pdf pdf
    application/epub+zip epub
    application/zip zip
    application/gzip gz tgz
    application/zstd zst
    application/x-tar tar
    application/x-7z-compressed 7z
    application/vnd.debian.binary-package deb
    image/svg+xml svg
    image/png png
    image/jpeg jpg jpeg
    image/gif gif
    image/webp webp
    image/avif avif
    image/bmp bmp
    image/tiff tif tiff
    image/vnd.microsoft.icon ico
    audio/mpeg mp3
    audio/ogg ogg oga opus
    audio/flac flac
    audio/wav wav
    audio/mp4 m4a
    video/mp4 mp4 m4v
    video/webm webm
    video/ogg ogv
    video/quicktime mov
    font/woff woff
    font/woff2 woff2
    font/ttf ttf
    font/otf otf
    """
}
