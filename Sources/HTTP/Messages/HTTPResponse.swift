/// What a server answers.
///
/// `content-length`, `transfer-encoding`, `connection` and `date` are the server's to write; leave them out.
public struct HTTPResponse: Sendable {
  /// The status.
  public var status: HTTPStatus
  /// Header fields.
  public var fields: HTTPFields
  /// The body. It is not sent for `HEAD`, 204 and 304, but its length is told for `HEAD` and 304.
  public var body: HTTPBody

  /// Joins the parts.
  public init(_ status: HTTPStatus, fields: HTTPFields = HTTPFields(), body: HTTPBody = .empty) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  /// A text for people, `text/plain; charset=utf-8`.
  public static func text(_ text: String, status: HTTPStatus = .ok) -> HTTPResponse {
    HTTPResponse(status, fields: [.contentType: "text/plain; charset=utf-8"], body: .bytes(Array(text.utf8)))
  }
}

/// A body that is sent.
public enum HTTPBody: Sendable {
  /// No bytes.
  case empty
  /// These bytes.
  case bytes([UInt8])
  /// Bytes that a function writes one after another; with their number if it is known.
  ///
  /// The function waits in `write` while the other side is slow to read, and gets `CancellationError` once it is gone. If
  /// it throws, or writes another number of bytes than it said, the message is cut off so that the other side notices.
  case stream(length: UInt64? = nil, @Sendable (HTTPBodyWriter) async throws -> Void)

  /// Number of bytes if it is known.
  public var length: UInt64? {
    switch self {
    case .empty: 0
    case .bytes(let bytes): UInt64(bytes.count)
    case .stream(let length, _): length
    }
  }
}
