import Addresses
import EventLoops
import HTTP
import Pkarr

extension ServiceEndpoint {
  /// Most addresses of one endpoint that are tried.
  static let maximumAddresses = 8

  /// Where to connect: for a target of `.` the addresses that the packet gives, otherwise those that the ordinary DNS has
  /// for ``domain``, which the system's resolver finds.
  ///
  /// - Parameter defaultPort: the port if the record has none.
  /// - Returns: nothing if there is no such domain, or for a target that is a key.
  public func socketAddresses(defaultPort: UInt16 = 443) async -> [Endpoint] {
    (try? await socketAddresses(port: port ?? defaultPort)) ?? []
  }

  func socketAddresses(port: UInt16) async throws -> [Endpoint] {
    if binding.target.isRoot { return addresses.map { Endpoint($0, port: port) } }
    guard let domain, let host = HostName("\(domain):\(port)") else { return [] }
    return try await HostResolver.resolve(host)
  }

  /// Why an HTTP/1.1 client cannot use the endpoint; nil if it can (RFC 9460 §7.1.2, §8).
  var reasonAgainstHTTP1: String? {
    let understood: [ServiceBinding.Key] = [.alpn, .noDefaultALPN, .port, .ipv4hint, .ipv6hint]
    if let key = binding.mandatory.first(where: { !understood.contains($0) }) {
      return "it can be used only by those who understand \(key)"
    }
    if binding.noDefaultALPN, !binding.alpn.contains("http/1.1") { return "it does not speak HTTP/1.1" }
    return nil
  }
}

/// HTTP to keys.
extension HTTPClientConfiguration {
  /// Lets hosts that end in a key be found through their HTTPS records; all others are found as before.
  ///
  /// An endpoint with the target `.` is connected to at the addresses of its packet, and must prove the key of that packet
  /// (RFC 7250). One that leads to a domain must have an ordinary certificate for that domain. Never is a key asked
  /// without encryption, also if the address begins with `http:` (RFC 9460 §9.5). The port is that of the address, that of
  /// the endpoint, or 443. Endpoints are tried in their order, the next one when one fails or takes long, and packets read
  /// as they are needed.
  ///
  /// - Parameters:
  ///   - maximumPackets: most packets that are read for one host.
  ///   - onFailure: is told why a host has no endpoint, before the request fails with `HTTPError.cannotConnect`.
  ///   - resolve: finds packets.
  public mutating func findKeys(
    maximumPackets: Int = EndpointSearch.defaultMaximumPackets,
    onFailure: (@Sendable (EndpointError) -> Void)? = nil, resolve: @escaping EndpointSequence.Resolver
  ) {
    routeSearch = { url in
      do throws(PublicKeyError) {
        _ = try PublicKey(parsing: url.host)
      } catch {
        guard Self.looksLikeKey(url.host) else { return nil }
        // The ordinary DNS is not asked about a key with a slip in it: who answers there could be anybody.
        return AsyncThrowingStream { $0.finish(throwing: HTTPError.badURL("\(url.host) is not a key: \(error)")) }
      }
      let endpoints = EndpointSequence(of: url.host, kind: .https, maximumPackets: maximumPackets, resolve: resolve)
      let search = RouteSearch(url, endpoints.makeAsyncIterator(), onFailure)
      return AsyncThrowingStream { try await search.next() }
    }
  }

  /// True if the last label of a host is as long as a key and has no other letters.
  private static func looksLikeKey(_ host: String) -> Bool {
    let label = host.utf8.split(separator: UInt8(ascii: ".")).last ?? host.utf8[...]
    return label.count == PublicKey.textLength
      && label.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) }
  }
}

/// Turns the endpoints of one key into connections to try. One task asks it.
private actor RouteSearch {
  /// Most connections that are tried for one key: the packets of strangers do not decide how long that takes.
  private static let maximumRoutes = 16

  private let url: HTTPURL
  private var endpoints: EndpointSequence.Iterator
  private let onFailure: (@Sendable (EndpointError) -> Void)?
  private var left = maximumRoutes
  /// Most endpoints that are looked at: each may have a domain that the ordinary DNS is slow to deny.
  private static let maximumEndpoints = 16
  private var endpointsLeft = maximumEndpoints
  /// The next one is the last.
  private var ready: [HTTPRoute] = []

  init(
    _ url: HTTPURL, _ endpoints: EndpointSequence.Iterator, _ onFailure: (@Sendable (EndpointError) -> Void)?
  ) {
    self.url = url
    self.endpoints = endpoints
    self.onFailure = onFailure
  }

  func next() async throws -> HTTPRoute? {
    while ready.isEmpty, left > 0, endpointsLeft > 0 {
      endpointsLeft -= 1
      var iterator = endpoints
      guard let endpoint = await iterator.next() else {
        endpoints = iterator
        break
      }
      endpoints = iterator
      let routes = await routes(endpoint)
      ready = routes.prefix(min(left, ServiceEndpoint.maximumAddresses)).reversed()
    }
    if let route = ready.popLast() {
      left -= 1
      return route
    }
    guard left == Self.maximumRoutes, !Task.isCancelled else { return nil }
    let error = EndpointError.noEndpoint(name: endpoints.name ?? url.host, endpoints.failures)
    onFailure?(error)
    throw error
  }

  private func routes(_ endpoint: ServiceEndpoint) async -> [HTTPRoute] {
    let target = endpoint.binding.target.isRoot ? endpoint.name : endpoint.target
    if let reason = endpoint.reasonAgainstHTTP1 {
      endpoints.note(.unusable(target, reason))
      return []
    }
    do {
      let identity: HTTPRoute.Identity =
        endpoint.domain.map { .certificate(hostName: $0) } ?? .rawKey(endpoint.publicKey.verificationKey)
      let addresses = try await endpoint.socketAddresses(port: url.port ?? endpoint.port ?? 443)
      if addresses.isEmpty { endpoints.note(.unusable(target, "it has no address")) }
      return addresses.alternatingFamilies().map { HTTPRoute($0, identity) }
    } catch {
      endpoints.note(.unusable(target, "\(error)"))
      return []
    }
  }
}

extension HTTPClient {
  /// A client that reaches keys as well, `https://KEY/path`; see ``HTTP/HTTPClientConfiguration/findKeys(maximumPackets:onFailure:resolve:)``.
  ///
  /// Throws as the client without keys does.
  public convenience init(
    findingKeysThrough client: PkarrClient, _ configuration: HTTPClientConfiguration = HTTPClientConfiguration(),
    on loop: EventLoop? = nil
  ) throws {
    var configuration = configuration
    configuration.findKeys(maximumPackets: client.configuration.maximumEndpointDepth) { try await client.resolve($0) }
    try self.init(configuration, on: loop)
  }
}
