import Addresses
import TLS

/// How a server listens, and how much of it a client may have.
public struct HTTPServerConfiguration: Sendable {
  /// Where connections come from.
  public enum Address: Hashable, Sendable {
    /// An address and a port; port 0 takes any free one.
    case tcp(Endpoint)
    /// A Unix socket, made with mode 660.
    case unix(path: String)
    /// A listening socket that was opened by somebody else, such as systemd.
    case descriptor(Int32)
  }

  /// Where to listen.
  public var addresses: [Address] = []
  /// What the server shows to clients; nil for connections without TLS. Unix sockets are never encrypted.
  public var tls: TLSServerContext?
  /// Limits of a request's head.
  public var headLimits = HTTPHeadLimits()
  /// The longest body that a handler may read, in bytes; each route may set less.
  public var maximumBodyBytes: UInt64 = 16 << 20
  /// Open connections in all. Beyond, one that idles is closed for each new one, and a new one if none idles.
  public var maximumConnections = 16384
  /// Open connections of one client address; nil for any number, as behind a proxy.
  public var maximumConnectionsPerAddress: Int?
  /// Whether a connection from this address begins with who the client is (PROXY protocol, version 2): it comes from a proxy of
  /// one's own. Such addresses may have any number of connections.
  public var isProxy: (@Sendable (IPAddress) -> Bool)?
  /// Requests under way at the same time on one HTTP/2 connection.
  public var maximumConcurrentStreams = 128
  /// True if clients may speak HTTP/2: by ALPN with TLS, by prior knowledge without.
  public var allowsHTTP2 = true
  /// How long clients may take.
  public var timeouts = HTTPServerTimeouts()
  /// Written as `server` in each response; nil for none.
  public var serverName: String?

  /// Listens on nothing.
  public init() {}

  /// Listens on one endpoint.
  public init(_ endpoint: Endpoint) { addresses = [.tcp(endpoint)] }
}

/// How long a client may take. They are checked about twice a second.
public struct HTTPServerTimeouts: Hashable, Sendable {
  /// From the connection to the end of the TLS handshake.
  public var handshake: Duration = .seconds(10)
  /// From the first byte of a request to the end of its head, however many bytes come.
  public var head: Duration = .seconds(10)
  /// For the next kilobyte of a body, or for what is left of it.
  public var body: Duration = .seconds(30)
  /// Between a response and the next request.
  public var idle: Duration = .seconds(75)
  /// For the client to take any byte of what waits to be sent.
  public var write: Duration = .seconds(30)

  /// The defaults.
  public init() {}
}

/// What a server has done so far.
public struct HTTPServerStatistics: Hashable, Sendable {
  /// Connections that are open.
  public var openConnections = 0
  /// Connections accepted.
  public var acceptedConnections = 0
  /// Connections refused because too many were open.
  public var refusedConnections = 0
  /// Connections closed because the client was too slow.
  public var timedOutConnections = 0
  /// TLS handshakes that failed.
  public var failedHandshakes = 0
  /// Requests whose head was read.
  public var requests = 0
  /// Requests that broke the protocol.
  public var malformedRequests = 0
  /// Requests whose client went away before the response was complete.
  public var abandonedRequests = 0
  /// Times that no descriptor was left for a new connection.
  public var descriptorShortages = 0

  /// Nothing yet.
  public init() {}

  static func + (first: Self, second: Self) -> Self {
    var sum = first
    sum.openConnections += second.openConnections
    sum.acceptedConnections += second.acceptedConnections
    sum.refusedConnections += second.refusedConnections
    sum.timedOutConnections += second.timedOutConnections
    sum.failedHandshakes += second.failedHandshakes
    sum.requests += second.requests
    sum.malformedRequests += second.malformedRequests
    sum.abandonedRequests += second.abandonedRequests
    sum.descriptorShortages += second.descriptorShortages
    return sum
  }
}
