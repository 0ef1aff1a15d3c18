import Addresses
import Cryptography
import EventLoops
import TLS

/// Where a client connects for an address, and whom it expects there.
public struct HTTPRoute: Hashable, Sendable {
  /// Whom the client expects.
  public enum Identity: Hashable, Sendable {
    /// No encryption.
    case plain
    /// Whoever has a certificate for this name or address that is trusted.
    case certificate(hostName: String)
    /// Whoever proves to have this Ed25519 key (RFC 7250).
    case rawKey(Ed25519.PublicKey)
  }

  /// The machine and port.
  public var endpoint: Endpoint
  /// Who must be there.
  public var identity: Identity

  /// Joins the two.
  public init(_ endpoint: Endpoint, _ identity: Identity) {
    self.endpoint = endpoint
    self.identity = identity
  }
}

/// Finds where to connect for an address: all candidates, the best one first.
public typealias HTTPResolver = @Sendable (HTTPURL) async throws -> [HTTPRoute]

/// Finds where to connect for an address, one candidate after the other, each only when those before have failed or take
/// long; nil if it has nothing to do with such addresses.
public typealias HTTPRouteSearch = @Sendable (HTTPURL) -> AsyncThrowingStream<HTTPRoute, any Error>?

/// How a client connects and how long it waits.
public struct HTTPClientConfiguration: Sendable {
  /// Whose certificates are trusted.
  public var tls = TLSClientConfiguration()
  /// Finds where to connect; the system's resolver unless told otherwise.
  public var resolver: HTTPResolver = HTTPClientConfiguration.systemResolver
  /// Finds where to connect where ``resolver`` would have to find too much in advance; asked first.
  public var routeSearch: HTTPRouteSearch?
  /// True if the trusted authorities are read only when the first certificate is to be checked. That takes some
  /// milliseconds, in which the client's loop does nothing else: for short-lived clients that may need none.
  public var readsAuthoritiesLate = false
  /// For one connection, TLS included.
  public var connectTimeout: Duration = .seconds(10)
  /// How long one attempt to connect has before the next candidate is tried beside it (RFC 8305 §5). One that fails makes
  /// room at once, and the first that connects ends all others.
  public var attemptDelay: Duration = .milliseconds(250)
  /// From sending the request to the head of the response.
  public var headTimeout: Duration = .seconds(30)
  /// For the next piece of a body.
  public var bodyTimeout: Duration = .seconds(30)
  /// How long a connection that nobody uses is kept.
  public var idleTimeout: Duration = .seconds(30)
  /// Connections that are kept for one host when nobody uses them.
  public var idleConnectionsPerHost = 8
  /// Redirects followed; 0 returns them as they are.
  public var maximumRedirects = 5
  /// Limits of a response's head.
  public var headLimits = HTTPHeadLimits()
  /// Sent as `user-agent` unless the request has one; nil for none.
  public var userAgent: String? = "swift-pubky"

  /// The defaults.
  public init() {}

  /// Asks the system's resolver for the host's addresses.
  public static let systemResolver: HTTPResolver = { url in
    let identity = HTTPRoute.Identity.certificate(hostName: url.host)
    guard
      let host = HostName(
        url.host.contains(":") ? "[\(url.host)]:\(url.effectivePort)" : "\(url.host):\(url.effectivePort)")
    else { throw HTTPError.badURL("\(url.host) is not a host name") }
    let endpoints = try await HostResolver.resolve(host)
    return endpoints.alternatingFamilies().map { HTTPRoute($0, url.scheme == .https ? identity : .plain) }
  }
}
