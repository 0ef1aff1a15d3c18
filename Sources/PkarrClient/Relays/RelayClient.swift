import Pkarr

/// Publishes and resolves through one relay.
///
/// ```swift
/// let relay = RelayClient("https://relay.example", transport: transport)
/// let packet = try await relay.resolve(key, policy: .networkOnly)
/// ```
public struct RelayClient: Sendable {
  /// The relay's address.
  public let url: RelayURL
  /// When a request is given up.
  public let timeout: Duration

  private let transport: any RelayTransport
  private let clock: ClientClock

  /// A client of a relay, over a transport.
  public init(
    _ url: RelayURL, transport: any RelayTransport, timeout: Duration = .seconds(2), clock: ClientClock = .system
  ) {
    self.url = url
    self.timeout = timeout
    self.transport = transport
    self.clock = clock
  }

  /// Publishes a packet; the number of DHT nodes that stored it, 1 if the relay does not say.
  @discardableResult
  public func publish(_ packet: SignedPacket) async throws(RelayError) -> Int {
    let publication = RelayPublication(packet: packet)
    return try publication.storedNodes(in: try await send(publication.request(to: url, timeout: timeout)))
  }

  /// Fetches the packet of a key.
  ///
  /// - Parameter newerThan: a packet that is not later than this is of no use.
  /// - Throws: `RelayError`; `.notFound` if the relay has no such packet.
  public func resolve(
    _ key: PublicKey, policy: ResolvePolicy = .cacheFirst, newerThan: Timestamp? = nil
  ) async throws(RelayError) -> SignedPacket {
    let lookup = RelayLookup(key: key, policy: policy, newerThan: newerThan)
    var response = try await send(lookup.request(to: url, timeout: timeout))
    if lookup.isSpoilt(response) {
      response = try await send(lookup.request(to: url, isRepetition: true, timeout: timeout))
    }
    return try lookup.packet(in: response, at: clock.wallClock())
  }

  /// Sends a request; gives up after its timeout, whether the transport does or not.
  private func send(_ request: RelayRequest) async throws(RelayError) -> RelayResponse {
    let result = await withTaskGroup(of: Result<RelayResponse, RelayTransportError>?.self) { group in
      group.addTask { [transport] in
        do throws(RelayTransportError) {
          return .success(try await transport.send(request))
        } catch {
          return .failure(error)
        }
      }
      group.addTask { [clock] in
        do {
          try await clock.sleep(request.timeout)
          return .failure(.timedOut)
        } catch {
          // The response came before, or the task was cancelled: then the transport ends by itself.
          return nil
        }
      }
      var first: Result<RelayResponse, RelayTransportError>?
      while first == nil, let next = await group.next() { first = next }
      group.cancelAll()
      return first ?? .failure(.cancelled)
    }
    if Task.isCancelled { throw .cancelled }
    switch result {
    case .success(let response): return response
    case .failure(let error): throw RelayError(error)
    }
  }
}
