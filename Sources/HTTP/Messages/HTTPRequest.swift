import Addresses
import EventLoops

/// A request that reached a server.
public struct HTTPRequest: Sendable {
  /// What is to be done.
  public var method: HTTPMethod {
    get { head.method }
    set { head = Head(newValue, target, authority, fields) }
  }
  /// Path and query.
  public var target: HTTPTarget {
    get { head.target }
    set { head = Head(method, newValue, authority, fields) }
  }
  /// The host, with port if one was given, that the client believes it talks to (`Host`, `:authority`); nil if it did
  /// not say, as only HTTP/1.0 allows.
  public var authority: String? {
    get { head.authority }
    set { head = Head(method, target, newValue, fields) }
  }
  /// Header fields, without `host` for HTTP/2.
  public var fields: HTTPFields {
    get { head.fields }
    set { head = Head(method, target, authority, newValue) }
  }
  /// The body as it arrives; empty if there is none.
  public var body: HTTPBodyReader
  /// How the request came in.
  public var context: HTTPRequestContext
  private var head: Head

  /// What hardly anybody changes. Behind a reference, since requests are handed on and on.
  private final class Head: Sendable {
    let method: HTTPMethod
    let target: HTTPTarget
    let authority: String?
    let fields: HTTPFields

    init(_ method: HTTPMethod, _ target: HTTPTarget, _ authority: String?, _ fields: HTTPFields) {
      self.method = method
      self.target = target
      self.authority = authority
      self.fields = fields
    }
  }

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
    head = Head(method, target, authority, fields)
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
