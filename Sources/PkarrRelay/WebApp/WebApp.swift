import CWebApp
import Cryptography
import HTTP
import WireFormat

/// The web app: one page that looks up keys, makes keys, signs and publishes, all in the browser.
///
/// Its files (`Sources/CWebApp/web`) are plain HTML, CSS and JavaScript modules. They are put together when they are first
/// asked for, so that a browser gets everything in one answer; the hashes of script and style are the only ones that the
/// page's content security policy lets run.
enum WebApp {
  /// The page, ready to be sent.
  struct Page: Sendable {
    let body: [UInt8]
    let etag: HTTPEntityTag
    /// Nothing but this script and this style runs, and it talks to this relay alone.
    let contentSecurityPolicy: String
  }

  /// The modules by their names, in the order in which they depend on each other.
  static var modules: [(name: String, text: String)] { files.filter { $0.name.hasSuffix(".js") } }

  static let page: Page = {
    let texts = Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0.text) })
    let script = ScriptPacker.pack(modules.map(\.text))
    let style = packedStyle(texts["style.css", default: ""])
    let html = texts["page.html", default: ""].split(separator: "\n").joined(separator: "\n")
      .replacing("/* style.css */", with: style).replacing("/* app.js */", with: script)
    let body = Array(html.utf8)
    return Page(
      body: body, etag: HTTPEntityTag(Hex.encode(SHA256.hash(body).prefix(12)))!,
      contentSecurityPolicy: """
        default-src 'none'; script-src '\(source(script))'; style-src '\(source(style))'; img-src data:; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
        trusted-types 'none'
        """)
  }()

  /// The answer to `GET /` of a browser.
  static func response(to request: HTTPRequest) -> HTTPResponse {
    var fields: HTTPFields = [
      .cacheControl: "no-cache", "content-security-policy": page.contentSecurityPolicy,
      "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
    ]
    fields.append(.etag, page.etag.description)
    addChoice(to: &fields)
    if HTTPPreconditions.evaluate(method: request.method, fields: request.fields, etag: page.etag) == .notModified {
      return HTTPResponse(.notModified, fields: fields)
    }
    fields.append(.contentType, "text/html; charset=utf-8")
    return HTTPResponse(.ok, fields: fields, body: .bytes(page.body))
  }

  /// True for those who ask for HTML by its name, as browsers do. Programs, which take anything, get the status page as
  /// from other relays.
  static func isWanted(by fields: HTTPFields) -> Bool {
    guard let accept = fields.joined(.accept), accept.lowercased().contains("text/html") else { return false }
    return HTTPAccept.best(of: ["application/octet-stream", "text/html"], accept: accept) == "text/html"
  }

  /// What tells caches that there is another page at the same place.
  static func addChoice(to fields: inout HTTPFields) {
    fields.append(contentsOf: CORS.fixedFields)
    fields.set(.vary, CORS.vary + ", accept")
  }

  private static var files: [(name: String, text: String)] {
    var files: [(name: String, text: String)] = []
    while let file = web_app_file_at(files.count)?.pointee {
      let bytes = UnsafeBufferPointer(start: file.bytes, count: file.count)
      files.append((String(cString: file.name), String(decoding: bytes, as: UTF8.self)))
    }
    return files
  }

  /// How a content security policy names an inline script or style.
  private static func source(_ text: String) -> String { "sha256-\(Base64.encode(SHA256.hash(Array(text.utf8))))" }

  /// The style sheet without spaces that mean nothing, its variables with short names.
  private static func packedStyle(_ style: String) -> String {
    let marks = "{};:,>".utf8
    var packed: [UInt8] = []
    for byte in style.utf8 {
      let isSpace = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n")
      if isSpace, let last = packed.last, marks.contains(last) || last == UInt8(ascii: " ") { continue }
      if marks.contains(byte), packed.last == UInt8(ascii: " ") { packed.removeLast() }
      if byte == UInt8(ascii: "}"), packed.last == UInt8(ascii: ";") { packed.removeLast() }
      packed.append(isSpace ? UInt8(ascii: " ") : byte)
    }
    var text = String(decoding: packed, as: UTF8.self)
    let declared = text.matches(of: /--([a-z-]+):/).map { String($0.1) }
    var names: [String] = []
    for name in declared where !names.contains(name) { names.append(name) }
    for (index, name) in names.enumerated() {
      let short = "--" + String(index, radix: 36)
      text = text.replacing("--\(name):", with: "\(short):").replacing("--\(name))", with: "\(short))")
    }
    return text
  }
}
