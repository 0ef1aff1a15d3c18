import Addresses
import Cryptography
import DNSWire
import EventLoops
import HTTP
import TLS

/// Something that carries attempts to a server.
protocol UpstreamPath: AnyObject {
  /// Nothing that comes back for this attempt counts any more.
  func close(_ attempt: UInt64)
}

/// Asks other DNS servers: the sockets around ``UpstreamForwarding``, on one event loop.
///
/// ```swift
/// let client = try UpstreamClient([UpstreamServer("9.9.9.9")!], on: loop)
/// client.ask(UpstreamQuestion(name, .a)) { result in … }   // on the loop
/// ```
///
/// Each question over UDP has a socket of its own; TCP and TLS connections are kept and shared. The system's resolver is
/// never asked. All members are *loop only* unless they say otherwise.
public final class UpstreamClient: @unchecked Sendable {
  /// Whom to trust, and how to forward.
  public struct Configuration: Sendable {
    /// How questions are forwarded.
    public var policy = UpstreamPolicy()
    /// Whose certificates are believed for TLS and HTTPS.
    public var trust = TLSClientConfiguration.Trust.system

    /// The defaults.
    public init() {}
  }

  /// The loop that the client lives on.
  public let loop: EventLoop
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
  private var forwarding: UpstreamForwarding
  private let trust: TLSClientConfiguration.Trust
  private var paths: [UInt64: any UpstreamPath] = [:]
  private var streams: [UpstreamServer: UpstreamStream] = [:]
  private var httpClients: [UpstreamServer: HTTPClient] = [:]
  private var tlsContext: TLSClientContext?
  private var callbacks: [UInt64: (UpstreamResult) -> Void] = [:]
  private var nextQuestion: UInt64 = 0
  private var timer: (handle: TimerHandle, deadline: UInt64)?
  private var isSettling = false
  private var isClosed = false
  private(set) var strangers: UInt64 = 0

  /// A client for these servers. Any thread may make it.
  public init(
    _ servers: [UpstreamServer], _ configuration: Configuration = Configuration(), random: RandomSource = .system,
    on loop: EventLoop
  ) {
    self.loop = loop
    trust = configuration.trust
    forwarding = UpstreamForwarding(servers, policy: configuration.policy, random: random)
  }

  deinit { scratch.deallocate() }

  // MARK: - Questions

  /// Asks a question; `whenDone` is called exactly once, never before this returns, also when the client is closed.
  /// `delegate`: ask this server alone, over UDP and if need be TCP.
  public func ask(
    _ question: UpstreamQuestion, delegate: Endpoint? = nil, whenDone: @escaping (UpstreamResult) -> Void
  ) {
    loop.checkIsolated()
    let number = nextQuestion
    nextQuestion += 1
    callbacks[number] = whenDone
    guard !isClosed else { return finish(number, .failure(.noServer)) }
    forwarding.begin(number, question, delegate: delegate, now: MonotonicClock.now)
    settle()
  }

  /// Asks a question, from anywhere.
  public func answer(to question: UpstreamQuestion) async -> UpstreamResult {
    await withUnsafeContinuation { continuation in
      let ask: @Sendable () -> Void = { self.ask(question) { continuation.resume(returning: $0) } }
      if loop.isOnLoop { ask() } else { loop.execute(ask) }
    }
  }

  /// Goes on with other servers; what is known of those that stay is kept.
  public func replace(servers: [UpstreamServer]) {
    forwarding.replace(servers: servers, now: MonotonicClock.now)
    httpClients = httpClients.filter { servers.contains($0.key) }
    for (server, stream) in streams where !servers.contains(server) && stream.server.transport != .stream {
      stream.end(.connection)
    }
    settle()
  }

  /// Ends everything; who waits is told.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    let waiting = callbacks.keys.sorted()
    let open = paths
    paths = [:]
    for (attempt, path) in open { path.close(attempt) }
    for stream in Array(streams.values) { stream.end(.connection) }
    if let timer { loop.cancel(timer.handle) }
    timer = nil
    for number in waiting { finish(number, .failure(.noServer)) }
  }

  private func finish(_ number: UInt64, _ result: UpstreamResult) {
    guard let callback = callbacks.removeValue(forKey: number) else { return }
    loop.execute(UncheckedBody { callback(result) }.run)
  }

  // MARK: - What the paths tell

  @discardableResult
  func received(_ attempt: UInt64, _ message: RawSpan, isCut: Bool) -> Bool {
    // A message that is longer than was asked for is no answer to what was asked.
    let isMeant = isCut ? false : forwarding.received(attempt, message, now: MonotonicClock.now)
    settle()
    return isMeant
  }

  func failed(_ attempt: UInt64, _ failure: UpstreamFailure) {
    forwarding.failed(attempt, failure, now: MonotonicClock.now)
    settle()
  }

  /// An exchange over HTTPS has ended.
  func ended(_ attempt: UInt64, _ result: Result<[UInt8], UpstreamFailure>) {
    switch result {
    case .success(let body):
      // Nothing else will come.
      if !received(attempt, body.span.bytes, isCut: false) { failed(attempt, .connection) }
    case .failure(let failure): failed(attempt, failure)
    }
  }

  func countStranger() { strangers += 1 }

  func streamEnded(_ stream: UpstreamStream) {
    for (server, known) in streams where known === stream { streams[server] = nil }
  }

  // MARK: - Doing what was decided

  /// Carries out all actions. What they cause at once is carried out as well, in the same loop.
  private func settle() {
    if isSettling || isClosed { return }
    isSettling = true
    while let action = forwarding.takeAction() {
      switch action {
      case .send(let attempt, let server, let isStream, let bytes): send(attempt, to: server, isStream, bytes)
      case .close(let attempt): paths.removeValue(forKey: attempt)?.close(attempt)
      case .finish(let number, let result): finish(number, result)
      }
    }
    isSettling = false
    setTimer()
  }

  private func send(_ attempt: UInt64, to server: UpstreamServer, _ isStream: Bool, _ bytes: [UInt8]) {
    do {
      if case .https(let path, let name) = server.transport {
        let url = try UpstreamExchange.url(of: server, path, name, bytes)
        paths[attempt] = UpstreamExchange(attempt, bytes, to: url, over: try http(server, name), for: self)
      } else if isStream {
        let stream = try stream(to: server)
        paths[attempt] = stream
        stream.send(attempt, bytes)
      } else {
        let datagram = try UpstreamDatagram(attempt, to: server.endpoint, for: self)
        paths[attempt] = datagram
        datagram.send(bytes)
      }
    } catch let error as SystemError {
      forwarding.failed(attempt, .unreachable(error.code), now: MonotonicClock.now)
    } catch {
      forwarding.failed(attempt, .connection, now: MonotonicClock.now)
    }
  }

  private func stream(to server: UpstreamServer) throws -> UpstreamStream {
    if let stream = streams[server], !stream.isClosed { return stream }
    var context: TLSClientContext?
    if case .tls = server.transport {
      context = try tlsContext ?? TLSClientContext(TLSClientConfiguration(trust: trust))
      tlsContext = context
    }
    let stream = try UpstreamStream(server, context: context, for: self)
    streams[server] = stream
    return stream
  }

  private func http(_ server: UpstreamServer, _ name: String?) throws -> HTTPClient {
    if let client = httpClients[server] { return client }
    let client = try UpstreamExchange.client(for: server, name, trust: trust, on: loop)
    httpClients[server] = client
    return client
  }

  private func setTimer() {
    guard let deadline = forwarding.nextDeadline, !isClosed else { return }
    if let timer {
      if timer.deadline <= deadline { return }
      loop.cancel(timer.handle)
    }
    timer = (loop.schedule(at: deadline) { [weak self] in self?.timerFired() }, deadline)
  }

  private func timerFired() {
    timer = nil
    forwarding.tick(now: MonotonicClock.now)
    settle()
    setTimer()
  }

  // MARK: - How it is going

  /// What is known of a server.
  public struct ServerStatus: Hashable, Sendable {
    /// The server.
    public var server: UpstreamServer
    /// Its smoothed round trip; nil before the first answer.
    public var roundTrip: Duration?
    /// Questions without an answer since the last answer.
    public var failures: Int
    /// True while it is avoided because it does not answer.
    public var isDead: Bool
  }

  /// What is known of the servers, in the order of the configuration.
  public var serverStatus: [ServerStatus] {
    let now = MonotonicClock.now
    return zip(forwarding.servers, forwarding.estimates).map { server, estimate in
      ServerStatus(
        server: server, roundTrip: estimate.roundTrip.map { .nanoseconds(Int64(clamping: $0)) },
        failures: estimate.failures, isDead: estimate.isDead(at: now))
    }
  }

  /// What was counted since the start.
  var counts: UpstreamForwarding.Counts { forwarding.counts }
  /// Questions under way.
  var questionCount: Int { forwarding.questionCount }
}

/// A closure of the loop on its way to the loop, which it never leaves.
private struct UncheckedBody: @unchecked Sendable {
  let body: () -> Void

  init(_ body: @escaping () -> Void) { self.body = body }

  var run: @Sendable () -> Void { { self.body() } }
}
