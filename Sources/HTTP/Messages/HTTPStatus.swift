/// A status code (RFC 9110 §15).
public struct HTTPStatus: Hashable, Sendable {
  /// Three digits, 100…999.
  public let code: Int

  /// Takes a code. Must be 100…999.
  public init(_ code: Int) {
    precondition((100...999).contains(code), "a status has three digits")
    self.code = code
  }

  /// True for 100…199: another response follows.
  public var isInformational: Bool { code < 200 }
  /// True for 200…299.
  public var isSuccess: Bool { (200..<300).contains(code) }

  /// True if a response with this status never has a body (RFC 9110 §6.4.1).
  public var isBodiless: Bool { isInformational || code == 204 || code == 304 }

  /// 200
  public static let ok = HTTPStatus(200)
  /// 204
  public static let noContent = HTTPStatus(204)
  /// 206
  public static let partialContent = HTTPStatus(206)
  /// 304
  public static let notModified = HTTPStatus(304)
  /// 400
  public static let badRequest = HTTPStatus(400)
  /// 403
  public static let forbidden = HTTPStatus(403)
  /// 404
  public static let notFound = HTTPStatus(404)
  /// 405
  public static let methodNotAllowed = HTTPStatus(405)
  /// 406
  public static let notAcceptable = HTTPStatus(406)
  /// 408
  public static let requestTimeout = HTTPStatus(408)
  /// 409
  public static let conflict = HTTPStatus(409)
  /// 412
  public static let preconditionFailed = HTTPStatus(412)
  /// 413
  public static let contentTooLarge = HTTPStatus(413)
  /// 414
  public static let uriTooLong = HTTPStatus(414)
  /// 415
  public static let unsupportedMediaType = HTTPStatus(415)
  /// 416
  public static let rangeNotSatisfiable = HTTPStatus(416)
  /// 417
  public static let expectationFailed = HTTPStatus(417)
  /// 429
  public static let tooManyRequests = HTTPStatus(429)
  /// 431
  public static let requestHeaderFieldsTooLarge = HTTPStatus(431)
  /// 500
  public static let internalServerError = HTTPStatus(500)
  /// 501
  public static let notImplemented = HTTPStatus(501)
  /// 502
  public static let badGateway = HTTPStatus(502)
  /// 503
  public static let serviceUnavailable = HTTPStatus(503)
  /// 505
  public static let httpVersionNotSupported = HTTPStatus(505)

  /// The phrase that HTTP/1.1 writes behind the code; empty for codes without one here.
  public var reasonPhrase: String {
    switch code {
    case 100: "Continue"
    case 101: "Switching Protocols"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 206: "Partial Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 416: "Range Not Satisfiable"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 422: "Unprocessable Content"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: ""
    }
  }
}

extension HTTPStatus: ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// A literal of three digits.
  public init(integerLiteral code: Int) { self.init(code) }

  /// `404 Not Found`
  public var description: String { reasonPhrase.isEmpty ? "\(code)" : "\(code) \(reasonPhrase)" }
}
