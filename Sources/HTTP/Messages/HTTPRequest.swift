import Addresses
import EventLoops

/// A request that reached a server.
public struct HTTPRequest: Sendable {
  /// What is to be done.
  public var method: HTTPMethod
  /// Path and query.
  public var target: HTTPTarget
  /// The host, with port if one was given, that the client believes it talks to (`Host`, `:authority`); nil if it did
  /// not say, as only HTTP/1.0 allows.
  public var authority: String?
  /// Header fields, without `host` for HTTP/2.
  public var fields: HTTPFields
  /// The body as it arrives; empty if there is none.
  public var body: HTTPBodyReader
  /// How the request came in.
  public var context: HTTPRequestContext

  /// Makes a request, for tests of handlers without a network.
  public init(
    _ method: HTTPMethod, _ target: String, authority: String? = nil, fields: HTTPFields = HTTPFields(),
    body: [UInt8] = [], context: HTTPRequestContext = HTTPRequestContext()
  ) {
    self.init(
      method: method, target: HTTPTarget(target), authority: authority, fields: fields,
      body: HTTPBodyReader(body), context: context)
  }

  init(
    method: HTTPMethod, target: HTTPTarget, authority: String?, fields: HTTPFields, body: HTTPBodyReader,
    context: HTTPRequestContext
  ) {
    self.method = method
    self.target = target
    self.authority = authority
    self.fields = fields
    self.body = body
    self.context = context
  }
}

/// How a request came in.
public struct HTTPRequestContext: Sendable {
  /// The other end of the connection: the client, or a proxy in front; nil for a Unix socket.
  public var peer: Endpoint?
  /// True if the connection is encrypted.
  public var isEncrypted = false
  /// The protocol's version.
  public var version = HTTPVersion.http11
  /// The loop that serves the connection; nil outside of a server.
  public var eventLoop: EventLoop?
  /// The client's address as far as it is known: that of ``peer``, unless a middleware has learnt better.
  public var clientAddress: IPAddress?

  /// A context without a connection.
  public init() {}
}

/// A version of the protocol.
public enum HTTPVersion: String, Hashable, Sendable {
  /// HTTP/1.0
  case http10 = "HTTP/1.0"
  /// HTTP/1.1
  case http11 = "HTTP/1.1"
  /// HTTP/2
  case http2 = "HTTP/2"
}
