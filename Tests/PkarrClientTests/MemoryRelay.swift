import EventLoops
import HTTP
import Pkarr
import Testing

@testable import PkarrClient

/// A relay without a network: keeps packets, and misbehaves as told.
final class MemoryRelay: Sendable {
  /// How it treats requests.
  enum Mood: Sendable {
    /// As a relay should.
    case wellBehaved
    /// Says that it stored what it did not store.
    case forgetful
    /// Answers everything with a status.
    case failing(Int, HTTPFields = HTTPFields())
    /// Cannot be reached.
    case unreachable
    /// Never answers; ends when the request is cancelled.
    case silent
    /// Answers as a relay should once the gate is open.
    case waiting(Gate)
  }

  struct State {
    var packets: [PublicKey: SignedPacket] = [:]
    var mood = Mood.wellBehaved
    var requests: [RelayRequest] = []
    var storedNodes: Int? = 7
  }

  let url: RelayURL
  private let state = LockedValue(State())

  init(_ url: RelayURL, holding packets: SignedPacket...) {
    self.url = url
    for packet in packets { hold(packet) }
  }

  var mood: Mood {
    get { state.withLock { $0.mood } }
    set { state.withLock { $0.mood = newValue } }
  }
  /// What it says about the nodes that stored a packet; nil: nothing.
  var storedNodes: Int? {
    get { state.withLock { $0.storedNodes } }
    set { state.withLock { $0.storedNodes = newValue } }
  }
  /// Every request so far.
  var requests: [RelayRequest] { state.withLock { $0.requests } }
  /// The requests of one method.
  func requests(_ method: HTTPMethod) -> [RelayRequest] { requests.filter { $0.method == method } }

  func hold(_ packet: SignedPacket) { state.withLock { $0.packets[packet.publicKey] = packet } }
  func packet(of key: PublicKey) -> SignedPacket? { state.withLock { $0.packets[key] } }

  func answer(_ request: RelayRequest, key: PublicKey) async throws(RelayTransportError) -> RelayResponse {
    let mood = state.withLock { state in
      state.requests.append(request)
      return state.mood
    }
    switch mood {
    case .wellBehaved, .forgetful: break
    case .failing(let status, let fields): return RelayResponse(status: status, fields: fields)
    case .unreachable: throw .failed("connection refused")
    case .silent:
      await Gate().wait()
      throw .cancelled
    case .waiting(let gate):
      await gate.wait()
      if Task.isCancelled { throw .cancelled }
    }
    if request.method == .put {
      if case .forgetful = mood { return RelayResponse(status: 204) }
      return put(request, key)
    }
    return get(request, key)
  }

  private func put(_ request: RelayRequest, _ key: PublicKey) -> RelayResponse {
    guard let packet = try? SignedPacket(relayPayload: request.body, publicKey: key) else {
      return RelayResponse(status: 400)
    }
    return state.withLock { state in
      if state.packets[key]?.isMoreRecent(than: packet) ?? false { return RelayResponse(status: 409) }
      state.packets[key] = packet
      var fields = HTTPFields()
      if let count = state.storedNodes { fields.append("pkarr-dht-stored-nodes", count) }
      return RelayResponse(status: 204, fields: fields)
    }
  }

  private func get(_ request: RelayRequest, _ key: PublicKey) -> RelayResponse {
    guard let packet = packet(of: key) else { return RelayResponse(status: 404) }
    var fields = HTTPFields()
    if let date = packet.lastSeen.httpDate { fields.append("memento-datetime", date) }
    if let text = request.fields[.ifModifiedSince], let bound = Timestamp(httpDate: text), packet.timestamp <= bound {
      return RelayResponse(status: 304, fields: fields)
    }
    return RelayResponse(status: 200, fields: fields, body: packet.relayPayload)
  }
}

/// Reaches relays in memory by their addresses.
struct MemoryTransport: RelayTransport {
  let relays: [MemoryRelay]

  init(_ relays: MemoryRelay...) { self.relays = relays }
  init(_ relays: [MemoryRelay]) { self.relays = relays }

  func send(_ request: RelayRequest) async throws(RelayTransportError) -> RelayResponse {
    let address = request.url.prefix { $0 != "?" }
    for relay in relays {
      let prefix = relay.url.description.prefix { $0 != "?" } + "/"
      guard address.hasPrefix(prefix), let key = try? PublicKey(parsing: String(address.dropFirst(prefix.count))) else {
        continue
      }
      return try await relay.answer(request, key: key)
    }
    throw .failed("no such host")
  }
}

/// Lets a test decide the response to each request.
struct ScriptedTransport: RelayTransport {
  let script: @Sendable (RelayRequest) async -> Result<RelayResponse, RelayTransportError>

  func send(_ request: RelayRequest) async throws(RelayTransportError) -> RelayResponse {
    try await script(request).get()
  }
}

/// Holds tasks up until it is opened, or they are cancelled.
final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    var next = 0
  }

  private let state = LockedValue(State())

  func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      defer { state.waiters = [:] }
      return state.waiters
    }
    for waiter in waiters.values { waiter.resume() }
  }

  /// How many wait.
  var waiterCount: Int { state.withLock { $0.waiters.count } }

  func wait() async {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.isOpen || Task.isCancelled { return true }
          state.waiters[id] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
  }
}

/// A clock whose time passes only when the test says so.
final class ManualClock: Sendable {
  private struct State {
    var now: UInt64 = 1_000_000_000
    var sleepers: [Int: (deadline: UInt64, gate: Gate)] = [:]
    var next = 0
  }

  private let state = LockedValue(State())

  /// How long the sleepers still want to sleep, shortest first.
  var pending: [Duration] {
    state.withLock { state in
      state.sleepers.values.map { .nanoseconds(Int64($0.deadline - state.now)) }.sorted()
    }
  }

  /// How many have begun to sleep so far.
  var sleeps: Int { state.withLock { $0.next } }

  /// Lets time pass.
  func advance(by duration: Duration) {
    let due = state.withLock { state in
      state.now +=
        UInt64(duration.components.seconds) * 1_000_000_000
        + UInt64(duration.components.attoseconds / 1_000_000_000)
      let due = state.sleepers.filter { $0.value.deadline <= state.now }
      for id in due.keys { state.sleepers[id] = nil }
      return due
    }
    for sleeper in due.values { sleeper.gate.open() }
  }

  /// The clock as a client takes it.
  var clock: ClientClock {
    ClientClock(
      now: { self.state.withLock { $0.now } }, wallClock: { .wallClock },
      sleep: { duration in
        let gate = Gate()
        let id = self.state.withLock { state in
          state.next += 1
          let deadline =
            state.now + UInt64(duration.components.seconds) * 1_000_000_000
            + UInt64(duration.components.attoseconds / 1_000_000_000)
          state.sleepers[state.next] = (deadline, gate)
          return state.next
        }
        await gate.wait()
        self.state.withLock { $0.sleepers[id] = nil }
        try Task.checkCancellation()
      })
  }
}

/// Waits until a condition holds that other tasks bring about.
func eventually(_ condition: () async -> Bool) async {
  let deadline = ContinuousClock.now + .seconds(300)
  while await !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record("it did not come about within five minutes")
      return
    }
    // Not only a yield: who only yields keeps a core from those whom he waits for.
    try? await Task.sleep(for: .milliseconds(1))
  }
}
