/// A request that a client sends.
public struct HTTPClientRequest: Sendable {
  /// What is to be done.
  public var method: HTTPMethod
  /// What it is to be done to.
  public var url: HTTPURL
  /// Header fields; `host`, `content-length`, `transfer-encoding` and `connection` are the client's to write.
  public var fields: HTTPFields
  /// The body. One that is streamed cannot be sent again, so a redirect that would need it fails.
  public var body: HTTPBody

  /// Joins the parts.
  public init(_ method: HTTPMethod = .get, _ url: HTTPURL, fields: HTTPFields = HTTPFields(), body: HTTPBody = .empty) {
    self.method = method
    self.url = url
    self.fields = fields
    self.body = body
  }
}

/// What a server answered.
public struct HTTPClientResponse: Sendable {
  /// The status.
  public var status: HTTPStatus
  /// Header fields.
  public var fields: HTTPFields
  /// The body as it arrives. The connection is closed if it is released before its end.
  public var body: HTTPBodyReader
  /// Where the answer came from, redirects followed.
  public var url: HTTPURL
  /// Who answered.
  public var route: HTTPRoute
}
