import HTTP

/// Carries requests to relays: the client's own over HTTP, one with a proxy or other headers, or one in memory for tests.
public protocol RelayTransport: Sendable {
  /// Sends a request and waits for the whole response.
  ///
  /// It should end early if the task is cancelled, follow redirects, and give up a response that is longer than
  /// ``RelayRequest/maximumBodyLength``.
  func send(_ request: RelayRequest) async throws(RelayTransportError) -> RelayResponse
}

/// A request to a relay.
public struct RelayRequest: Equatable, Sendable {
  /// `GET` fetches a packet, `PUT` publishes one.
  public var method: HTTPMethod
  /// The address, `https://relay.example/KEY?policy=CacheFirst`.
  public var url: String
  /// Header fields.
  public var fields: HTTPFields
  /// The relay payload for a PUT, at most 1072 bytes; empty for a GET.
  public var body: [UInt8]
  /// When to give up.
  public var timeout: Duration
  /// Most bytes of the response's body, 1104.
  public var maximumBodyLength: Int

  /// Joins the parts.
  public init(
    _ method: HTTPMethod, _ url: String, fields: HTTPFields = HTTPFields(), body: [UInt8] = [], timeout: Duration,
    maximumBodyLength: Int
  ) {
    self.method = method
    self.url = url
    self.fields = fields
    self.body = body
    self.timeout = timeout
    self.maximumBodyLength = maximumBodyLength
  }
}

/// What a relay answers.
public struct RelayResponse: Sendable {
  /// The status code.
  public var status: Int
  /// Header fields.
  public var fields: HTTPFields
  /// The whole body.
  public var body: [UInt8]

  /// Joins the parts.
  public init(status: Int, fields: HTTPFields = HTTPFields(), body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  /// The length of the body that the header announces.
  var declaredLength: Int? { fields[.contentLength].flatMap { Int($0) } }
}

/// Why there is no response.
public enum RelayTransportError: Error, Hashable, Sendable {
  /// No response in time.
  case timedOut
  /// No connection, or it broke; why, for a person.
  case failed(String)
  /// The body is longer than the request allows.
  case bodyTooLarge
  /// The task was cancelled.
  case cancelled
}

extension RelayError {
  init(_ error: RelayTransportError) {
    self =
      switch error {
      case .timedOut: .timeout
      case .failed(let reason): .request(reason)
      case .bodyTooLarge: .bodyTooLarge
      case .cancelled: .cancelled
      }
  }
}
