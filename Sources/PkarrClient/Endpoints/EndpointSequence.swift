import Pkarr

/// The endpoints of a name, found one after the other: a packet is read only when it is needed for the next one.
///
/// Each iteration is a search of its own, by the rules of `EndpointSearch`. It ends early if its task is cancelled.
public struct EndpointSequence: AsyncSequence, Sendable {
  /// A place where the service may be.
  public typealias Element = ServiceEndpoint
  /// It never fails: a name without endpoints has none. See ``Iterator/failures``.
  public typealias Failure = Never
  /// Finds the packet of a key.
  public typealias Resolver = @Sendable (PublicKey) async throws -> SignedPacket

  private let search: EndpointSearch
  private let resolve: Resolver

  /// The endpoints of a host name, URL or key; `resolve` finds packets.
  public init(
    of query: some StringProtocol, kind: EndpointKind,
    maximumPackets: Int = EndpointSearch.defaultMaximumPackets, resolve: @escaping Resolver
  ) {
    search = EndpointSearch(for: query, kind: kind, maximumPackets: maximumPackets)
    self.resolve = resolve
  }

  /// Begins a search.
  public func makeAsyncIterator() -> Iterator { Iterator(search: search, resolve: resolve) }

  /// Finds endpoints.
  public struct Iterator: AsyncIteratorProtocol, Sendable {
    private var search: EndpointSearch
    private let resolve: Resolver

    init(search: EndpointSearch, resolve: @escaping Resolver) {
      self.search = search
      self.resolve = resolve
    }

    /// The name that was asked for in full; nil if there is no key in it.
    public var name: String? { search.name }
    /// Why some of the ways led nowhere, so far.
    public var failures: [EndpointFailure] { search.failures }

    /// Adds a reason to ``failures``: an endpoint that was found and cannot be used.
    public mutating func note(_ failure: EndpointFailure) { search.note(failure) }

    /// The next endpoint; nil at the end.
    public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async -> ServiceEndpoint? {
      while !Task.isCancelled {
        switch search.next() {
        case .endpoint(let endpoint): return endpoint
        case .end: return nil
        case .resolve(let key):
          do {
            let packet = try await resolve(key)
            search.supply(packet)
          } catch {
            search.supply(failure: Self.firstLine("\(error)"))
          }
        }
      }
      return nil
    }

    /// The next endpoint; nil at the end.
    public mutating func next() async -> ServiceEndpoint? { await next(isolation: nil) }

    private static func firstLine(_ text: String) -> String {
      text.split(separator: "\n").first.map(String.init) ?? text
    }
  }
}

/// Why there is no endpoint.
public enum EndpointError: Error, Hashable, Sendable {
  /// There is no key in the text that was asked for.
  case noKey(String)
  /// The name has no endpoint that can be used; why, for each way that was tried.
  case noEndpoint(name: String, [EndpointFailure])
}

extension EndpointError: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    switch self {
    case .noKey(let text): return "\(text) does not end in a public key"
    case .noEndpoint(let name, let failures):
      let reasons = failures.isEmpty ? "nothing was found" : failures.map(\.description).joined(separator: "; ")
      return "could not resolve an endpoint of \(name): \(reasons)"
    }
  }
}

/// Endpoints of keys.
extension PkarrClient {
  /// The endpoints of a host name, URL or key, found lazily through the cache and all networks (``ResolvePolicy/cacheFirst``).
  /// At most `PkarrClientConfiguration.maximumEndpointDepth` packets are read.
  public func endpoints(of query: some StringProtocol, kind: EndpointKind = .https) -> EndpointSequence {
    EndpointSequence(
      of: query, kind: kind, maximumPackets: configuration.maximumEndpointDepth, resolve: { try await self.resolve($0) }
    )
  }

  /// The first endpoint of a name among its HTTPS records.
  ///
  /// - Throws: ``EndpointError``.
  public func firstHTTPSEndpoint(of query: some StringProtocol) async throws(EndpointError) -> ServiceEndpoint {
    try await first(of: query, .https)
  }

  /// The first endpoint of a name among its SVCB records.
  ///
  /// - Throws: ``EndpointError``.
  public func firstSVCBEndpoint(of query: some StringProtocol) async throws(EndpointError) -> ServiceEndpoint {
    try await first(of: query, .svcb)
  }

  private func first(
    of query: some StringProtocol, _ kind: EndpointKind
  ) async throws(EndpointError) -> ServiceEndpoint {
    var iterator = endpoints(of: query, kind: kind).makeAsyncIterator()
    if let endpoint = await iterator.next() { return endpoint }
    guard let name = iterator.name else { throw .noKey(String(query)) }
    throw .noEndpoint(name: name, iterator.failures)
  }
}
