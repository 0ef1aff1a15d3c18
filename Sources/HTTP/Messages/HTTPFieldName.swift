/// The name of a header field (RFC 9110 §5.1): a token, kept in lower case.
public struct HTTPFieldName: Hashable, Sendable {
  /// The name in lower case.
  public let text: String

  /// Takes a name in any case; nil if it is no token.
  public init?(_ text: some StringProtocol) {
    guard (1...Int(UInt16.max)).contains(text.utf8.count), text.utf8.allSatisfy(HTTPToken.contains) else { return nil }
    self.text = text.lowercased()
  }

  /// Takes a name that is known to be a token in lower case.
  init(wellKnown text: String) { self.text = text }

  @inline(__always) var utf8Count: Int { text.utf8.count }

  @inline(__always)
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    var text = text
    return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }
}

extension HTTPFieldName: ExpressibleByStringLiteral {
  /// A literal must be a token.
  public init(stringLiteral text: String) {
    guard let name = HTTPFieldName(text) else { preconditionFailure("\"\(text)\" is not a field name") }
    self = name
  }
}

extension HTTPFieldName: CustomStringConvertible {
  /// The name in lower case.
  public var description: String { text }
}

extension HTTPFieldName {
  /// `accept`
  public static let accept = HTTPFieldName(wellKnown: "accept")
  /// `accept-ranges`
  public static let acceptRanges = HTTPFieldName(wellKnown: "accept-ranges")
  /// `access-control-allow-credentials`
  public static let accessControlAllowCredentials = HTTPFieldName(wellKnown: "access-control-allow-credentials")
  /// `access-control-allow-headers`
  public static let accessControlAllowHeaders = HTTPFieldName(wellKnown: "access-control-allow-headers")
  /// `access-control-allow-methods`
  public static let accessControlAllowMethods = HTTPFieldName(wellKnown: "access-control-allow-methods")
  /// `access-control-allow-origin`
  public static let accessControlAllowOrigin = HTTPFieldName(wellKnown: "access-control-allow-origin")
  /// `access-control-expose-headers`
  public static let accessControlExposeHeaders = HTTPFieldName(wellKnown: "access-control-expose-headers")
  /// `access-control-max-age`
  public static let accessControlMaxAge = HTTPFieldName(wellKnown: "access-control-max-age")
  /// `access-control-request-headers`
  public static let accessControlRequestHeaders = HTTPFieldName(wellKnown: "access-control-request-headers")
  /// `access-control-request-method`
  public static let accessControlRequestMethod = HTTPFieldName(wellKnown: "access-control-request-method")
  /// `allow`
  public static let allow = HTTPFieldName(wellKnown: "allow")
  /// `cache-control`
  public static let cacheControl = HTTPFieldName(wellKnown: "cache-control")
  /// `connection`
  public static let connection = HTTPFieldName(wellKnown: "connection")
  /// `content-length`
  public static let contentLength = HTTPFieldName(wellKnown: "content-length")
  /// `content-range`
  public static let contentRange = HTTPFieldName(wellKnown: "content-range")
  /// `content-type`
  public static let contentType = HTTPFieldName(wellKnown: "content-type")
  /// `date`
  public static let date = HTTPFieldName(wellKnown: "date")
  /// `etag`
  public static let etag = HTTPFieldName(wellKnown: "etag")
  /// `expect`
  public static let expect = HTTPFieldName(wellKnown: "expect")
  /// `host`
  public static let host = HTTPFieldName(wellKnown: "host")
  /// `if-match`
  public static let ifMatch = HTTPFieldName(wellKnown: "if-match")
  /// `if-modified-since`
  public static let ifModifiedSince = HTTPFieldName(wellKnown: "if-modified-since")
  /// `if-none-match`
  public static let ifNoneMatch = HTTPFieldName(wellKnown: "if-none-match")
  /// `if-range`
  public static let ifRange = HTTPFieldName(wellKnown: "if-range")
  /// `if-unmodified-since`
  public static let ifUnmodifiedSince = HTTPFieldName(wellKnown: "if-unmodified-since")
  /// `last-modified`
  public static let lastModified = HTTPFieldName(wellKnown: "last-modified")
  /// `location`
  public static let location = HTTPFieldName(wellKnown: "location")
  /// `origin`
  public static let origin = HTTPFieldName(wellKnown: "origin")
  /// `range`
  public static let range = HTTPFieldName(wellKnown: "range")
  /// `retry-after`
  public static let retryAfter = HTTPFieldName(wellKnown: "retry-after")
  /// `server`
  public static let server = HTTPFieldName(wellKnown: "server")
  /// `te`
  public static let te = HTTPFieldName(wellKnown: "te")
  /// `trailer`
  public static let trailer = HTTPFieldName(wellKnown: "trailer")
  /// `transfer-encoding`
  public static let transferEncoding = HTTPFieldName(wellKnown: "transfer-encoding")
  /// `upgrade`
  public static let upgrade = HTTPFieldName(wellKnown: "upgrade")
  /// `user-agent`
  public static let userAgent = HTTPFieldName(wellKnown: "user-agent")
  /// `vary`
  public static let vary = HTTPFieldName(wellKnown: "vary")
}
