/// What a request asks for: path and query, still percent-encoded (RFC 9110 §7.1; origin-form of RFC 9112 §3.2.1).
public struct HTTPTarget: Hashable, Sendable, CustomStringConvertible {
  /// The path with its leading slash, such as `/a%20b`; `*` for `OPTIONS *`.
  public let path: String
  /// What follows the first `?`, without it; nil if there is none.
  public let query: String?

  /// Splits `/path?query`. A fragment is not expected and stays part of what it stands in.
  public init(_ text: some StringProtocol) {
    if let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) {
      path = String(text[..<mark])
      query = String(text[text.utf8.index(after: mark)...])
    } else {
      path = String(text)
      query = nil
    }
  }

  init(path: String, query: String?) {
    self.path = path
    self.query = query
  }

  /// `/path?query`
  public var description: String { query.map { "\(path)?\($0)" } ?? path }

  /// The segments of the path, percent-decoded; nil if one of them is not valid UTF-8 or has a broken `%` escape, and for
  /// `*`.
  ///
  /// `/` has one empty segment; `/a/` has two, of which the second one is empty. A segment may hold what was escaped in it:
  /// `/`, `..`, NUL.
  public var segments: [String]? {
    guard path.utf8.first == UInt8(ascii: "/") else { return nil }
    var segments: [String] = []
    for segment in path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      guard let decoded = PercentEncoding.decode(Substring(segment)) else { return nil }
      segments.append(decoded)
    }
    return segments
  }

  /// The parameters of a query in the form `name=value&…`, decoded (`+` is a space), in order; nil if an escape is broken.
  public var parameters: [(name: String, value: String)]? {
    guard let query else { return [] }
    var parameters: [(name: String, value: String)] = []
    // By bytes: for a String a separator and the accent behind it would be one character.
    for pair in query.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentEncoding.decode(Substring(parts[0]), plusIsSpace: true),
        let value = PercentEncoding.decode(parts.count > 1 ? Substring(parts[1]) : "", plusIsSpace: true)
      else { return nil }
      parameters.append((name, value))
    }
    return parameters
  }
}

/// Percent-encoding (RFC 3986 §2.1).
public enum PercentEncoding {
  /// The text with its escapes decoded; nil if an escape is broken or the result is not UTF-8.
  public static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
    let utf8 = Array(text.utf8)
    if !utf8.contains(UInt8(ascii: "%")), !(plusIsSpace && utf8.contains(UInt8(ascii: "+"))) { return String(text) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count)
    var index = 0
    while index < utf8.count {
      switch utf8[index] {
      case UInt8(ascii: "%"):
        guard index + 2 < utf8.count, let high = digit(utf8[index + 1]), let low = digit(utf8[index + 2]) else {
          return nil
        }
        bytes.append(high << 4 | low)
        index += 3
      case UInt8(ascii: "+") where plusIsSpace:
        bytes.append(0x20)
        index += 1
      case let byte:
        bytes.append(byte)
        index += 1
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// The text with all but unreserved characters (RFC 3986 §2.3) escaped: fit for a path segment or a query value.
  public static func encode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      let isUnreserved =
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
        || byte == UInt8(ascii: "~")
      if isUnreserved {
        bytes.append(byte)
      } else {
        bytes.append(UInt8(ascii: "%"))
        bytes.append(digits[Int(byte >> 4)])
        bytes.append(digits[Int(byte & 15)])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }
}
