import Addresses
import EventLoops
import HTTP
import Logging
import Pkarr
import PkarrClient
import PkarrStore
import Testing

@testable import PkarrRelay

/// A network that does what a test says, and counts what it was asked.
final class ScriptedNetwork: RelayNetwork {
  /// What a lookup brings.
  struct Script: Sendable {
    var packets: [SignedPacket] = []
    /// Nil: the last packet, or nothing found.
    var failure: RelayFailure?
  }

  private struct State {
    var scripts: [PublicKey: Script] = [:]
    var publication: Result<Int, RelayFailure> = .success(7)
    var published: [SignedPacket] = []
    var lookups: [Int64?] = []
    var cancelled = 0
    /// Lookups stop before their first packet, or before their end, until the gate is opened.
    var startGate: Gate?
    var endGate: Gate?
  }

  /// Something that tasks wait for.
  final class Gate: Sendable {
    private let state = LockedValue<(isOpen: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    /// Waits until the gate is opened or the task is cancelled.
    func wait() async {
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isOpen = state.withLock { state in
            if !state.isOpen { state.waiters.append(continuation) }
            return state.isOpen
          }
          if isOpen { continuation.resume() }
        }
      } onCancel: {
        open()
      }
    }

    func open() {
      let waiters = state.withLock { state in
        state.isOpen = true
        defer { state.waiters = [] }
        return state.waiters
      }
      for waiter in waiters { waiter.resume() }
    }
  }

  private let state = LockedValue(State())

  var published: [SignedPacket] { state.withLock { $0.published } }
  /// The bounds of all lookups.
  var lookups: [Int64?] { state.withLock { $0.lookups } }
  var cancelled: Int { state.withLock { $0.cancelled } }

  func set(_ key: PublicKey, _ packets: SignedPacket...) {
    state.withLock { $0.scripts[key] = Script(packets: packets) }
  }

  func set(_ key: PublicKey, _ failure: RelayFailure) { state.withLock { $0.scripts[key] = Script(failure: failure) } }

  func setPublication(_ result: Result<Int, RelayFailure>) { state.withLock { $0.publication = result } }

  func holdStarts() -> Gate {
    let gate = Gate()
    state.withLock { $0.startGate = gate }
    return gate
  }

  func holdEnds() -> Gate {
    let gate = Gate()
    state.withLock { $0.endGate = gate }
    return gate
  }

  func publish(_ packet: SignedPacket) async throws(RelayFailure) -> Int {
    try state.withLock { state in
      state.published.append(packet)
      return state.publication
    }.get()
  }

  func lookUp(
    _ key: PublicKey, newerThan bound: Int64?, onPacket: @escaping @Sendable (SignedPacket) -> Void
  ) async -> Result<SignedPacket, RelayFailure> {
    let (script, startGate, endGate) = state.withLock { state in
      state.lookups.append(bound)
      return (state.scripts[key] ?? Script(), state.startGate, state.endGate)
    }
    await startGate?.wait()
    if Task.isCancelled {
      state.withLock { $0.cancelled += 1 }
      return .failure(.cancelled)
    }
    var found: SignedPacket?
    for var packet in script.packets where bound.map({ packet.timestamp.seq > $0 }) ?? true {
      packet.refresh()
      found = packet
      onPacket(packet)
    }
    await endGate?.wait()
    if let failure = script.failure { return .failure(failure) }
    return found.map { .success($0) } ?? .failure(.notFound)
  }

  func status() async -> RelayStatus.Node? {
    var node = RelayStatus.Node()
    node.port = 6881
    node.goodNodes = 20
    return node
  }
}

/// A relay without sockets.
struct RelayFixture {
  let network = ScriptedNetwork()
  let cache: any PacketCache
  let core: RelayCore
  let dispatcher: HTTPDispatcher

  init(
    cache: any PacketCache = MemoryCache(capacity: 100), configure: (inout RelayConfiguration) -> Void = { _ in }
  ) {
    var configuration = RelayConfiguration()
    configuration.rateLimiter = nil
    configure(&configuration)
    self.cache = cache
    core = RelayCore(
      configuration, network: network, cache: cache, limiters: RelayLimiters(configuration.rateLimiter),
      counter: RelayCounter(), loops: [], version: "1.2.3", log: ServiceLog(.silent))
    dispatcher = core.handler.frontDispatcher(servesAdmin: configuration.admin.listen == nil)
  }

  /// Answers a request as a server would.
  func send(
    _ method: HTTPMethod, _ target: String, fields: HTTPFields = HTTPFields(), body: [UInt8] = [],
    from client: IPAddress? = IPAddress(192, 0, 2, 1)
  ) async throws -> HTTPResponse {
    var context = HTTPRequestContext()
    context.peer = client.map { Endpoint($0, port: 4711) }
    let request = HTTPRequest(method, target, fields: fields, body: body, context: context)
    return switch dispatcher(request) {
    case .response(let response): response
    case .handler(let handler): try await handler(request)
    }
  }

  func get(_ key: PublicKey, _ policy: ResolvePolicy? = nil, fields: HTTPFields = HTTPFields()) async throws
    -> HTTPResponse
  {
    try await send(.get, "/\(key)" + (policy.map { "?policy=\($0.rawValue)" } ?? ""), fields: fields)
  }

  func put(_ packet: SignedPacket, from client: IPAddress? = IPAddress(192, 0, 2, 1)) async throws -> HTTPResponse {
    try await send(.put, "/\(packet.publicKey)", body: packet.relayPayload, from: client)
  }

  var counts: RelayCounts { core.service.counter.current }
}

extension HTTPResponse {
  /// The bytes of a body that is there already.
  var bytes: [UInt8]? {
    switch body {
    case .empty: []
    case .bytes(let bytes): bytes
    case .stream: nil
    }
  }

  var text: String { String(decoding: bytes ?? [], as: UTF8.self) }
}

/// A packet of some version with one record.
func makePacket(
  _ keypair: Keypair, at microseconds: UInt64, _ text: String = "value", ttl: TimeToLive = 600,
  seen: Timestamp = .wallClock
) throws -> SignedPacket {
  var packet = try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: microseconds)) {
    TXT("_test", text, ttl: ttl)
  }
  packet.lastSeen = seen
  return packet
}

/// Long enough ago for any packet to be expired.
let longAgo = Timestamp.wallClock.subtracting(seconds: 200_000)

/// Waits until something has become true; false after a generous while.
func eventually(_ condition: () async -> Bool) async -> Bool {
  let deadline = ContinuousClock.now + .seconds(300)
  while ContinuousClock.now < deadline {
    if await condition() { return true }
    await Task.yield()
    try? await Task.sleep(for: .milliseconds(1))
  }
  return false
}
