import EventLoops
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

  /// Sends a request; gives up after its timeout and when the task is cancelled, whether the transport does or not.
  private func send(_ request: RelayRequest) async throws(RelayError) -> RelayResponse {
    if Task.isCancelled { throw .cancelled }
    let answer = FirstAnswer()
    let exchange = Task { [transport] in
      do throws(RelayTransportError) {
        answer.give(.success(try await transport.send(request)))
      } catch {
        answer.give(.failure(RelayError(error)))
      }
    }
    let timer = Task { [clock] in
      // Cancelled as soon as there is an answer.
      if (try? await clock.sleep(request.timeout)) != nil { answer.give(.failure(.timeout)) }
    }
    defer {
      exchange.cancel()
      timer.cancel()
    }
    let result = await withTaskCancellationHandler {
      await answer.wait()
    } onCancel: {
      answer.give(.failure(.cancelled))
    }
    if Task.isCancelled { throw .cancelled }
    return try result.get()
  }
}

/// The first of several results, for the one who waits for it.
private final class FirstAnswer: Sendable {
  typealias Answer = Result<RelayResponse, RelayError>

  private let state = LockedValue<(answer: Answer?, waiter: CheckedContinuation<Answer, Never>?)>((nil, nil))

  func give(_ answer: Answer) {
    let waiter = state.withLock { state in
      if state.answer == nil { state.answer = answer }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: answer)
  }

  func wait() async -> Answer {
    await withCheckedContinuation { waiter in
      let answer = state.withLock { state in
        if state.answer == nil { state.waiter = waiter }
        return state.answer
      }
      if let answer { waiter.resume(returning: answer) }
    }
  }
}
