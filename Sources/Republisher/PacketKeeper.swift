import EventLoops
import Mainline
import Pkarr
import Synchronization

/// Keeps alive the packets of the keys that a service is asked for: a ``Republisher`` on the service's own node of the DHT,
/// and the choice of the keys that it looks after (``RequestedKeys``). Any thread may call.
///
/// It is off until ``change(to:)`` switches it on. End it before the node.
public final class PacketKeeper: Sendable {
  private struct Running {
    var republisher: Republisher
    /// The republisher's work, and what tells it of keys that came and went.
    var tasks: [Task<Void, Never>]
  }

  private struct State {
    var requested: RequestedKeys?
    var running: Running?
    var onNewer: (@Sendable (SignedPacket) -> Void)?
    var isSweeping = false
    var hasEnded = false
  }

  private let node: MainlineNode
  private let packet: @Sendable (PublicKey) -> SignedPacket?
  private let onRound: (@Sendable (RoundReport) -> Void)?
  private let state = LockedValue(State())
  /// For those who would take the lock for nothing.
  private let isOn = Atomic(false)

  /// Between two looks at which keys have come and gone.
  private static let sweepInterval = Duration.seconds(5)

  /// Begins nothing yet.
  ///
  /// - Parameters:
  ///   - packet: The packet that the service has of a key; without one that of the network is kept alive.
  ///   - onRound: Hears of each round that has ended.
  public init(
    through node: MainlineNode, packet: @escaping @Sendable (PublicKey) -> SignedPacket?,
    onRound: (@Sendable (RoundReport) -> Void)? = nil
  ) {
    self.node = node
    self.packet = packet
    self.onRound = onRound
  }

  /// Who hears of each newer packet that the network holds, on the node's loop.
  public func tellNewer(to body: @escaping @Sendable (SignedPacket) -> Void) { state.withLock { $0.onNewer = body } }

  // MARK: - What the service is asked for

  /// Somebody has asked for a key, and was given its packet.
  public func note(_ key: PublicKey) {
    guard isOn.load(ordering: .relaxed) else { return }
    let now = Republisher.now
    state.withLock { $0.requested?.note(key, at: now) }
  }

  /// The service has got a packet, whose signature was checked.
  public func news(_ packet: SignedPacket) {
    guard isOn.load(ordering: .relaxed) else { return }
    let republisher = state.withLock { state in
      state.requested?.isTold(packet.publicKey) ?? false ? state.running?.republisher : nil
    }
    guard let republisher else { return }
    republisher.loop.execute { republisher.assumeIsolated { $0.offer(packet, isVerified: true) } }
  }

  /// Tells the republisher which keys have come and gone; happens by itself every few seconds.
  public func sweep() async {
    let now = Republisher.now
    let work = state.withLock { state -> (came: [PublicKey], went: [PublicKey], republisher: Republisher)? in
      guard !state.isSweeping, let republisher = state.running?.republisher,
        let (came, went) = state.requested?.takeChanges(at: now)
      else { return nil }
      state.isSweeping = true
      return (came, went, republisher)
    }
    guard let work else { return }
    for key in work.went { await work.republisher.remove(key) }
    for key in work.came { await work.republisher.add(packet(key).map { RepublishedKey($0) } ?? RepublishedKey(key)) }
    state.withLock { $0.isSweeping = false }
  }

  // MARK: - Life

  /// Switches it on, off (nil), or goes on with other settings. What it knows of requests is kept while it is on.
  public func change(to settings: PacketKeeperSettings?) async {
    guard let settings else { return await stop() }
    let running = state.withLock { state -> Running? in
      if state.hasEnded { return nil }
      state.requested?.change(settings.limits)
      if let running = state.running { return running }
      state.requested = RequestedKeys(settings.limits)
      state.running = begin(settings.policy)
      isOn.store(true, ordering: .relaxed)
      return nil
    }
    if state.withLock({ $0.hasEnded }) { return }
    await running?.republisher.change(settings.policy)
    await node.allowQueries(extraPerSecond: settings.policy.queriesPerSecond(keys: settings.keys))
  }

  private func begin(_ policy: RepublishPolicy) -> Running? {
    // Only a state file could fail.
    let republisher = try? Republisher(
      through: node, on: node.eventLoop, policy, onRound: onRound,
      onNewer: { [weak self] packet in self?.state.withLock { $0.onNewer }?(packet) })
    guard let republisher else { return nil }
    let work = Task.detached { _ = await republisher.run() }
    let sweeper = Task.detached { [weak self] in
      while (try? await Task.sleep(for: Self.sweepInterval)) != nil {
        guard let self else { return }
        await sweep()
      }
    }
    return Running(republisher: republisher, tasks: [work, sweeper])
  }

  /// The packet that is kept alive for a key; nil if none is.
  public func keptPacket(of key: PublicKey) async -> SignedPacket? {
    await state.withLock { $0.running?.republisher }?.packet(of: key)
  }

  /// How it is doing; nil while it is off.
  public func status() async -> RepublishStatus? {
    await state.withLock { $0.running?.republisher }?.status
  }

  /// Ends it for good, and waits until nothing runs any more.
  public func end() async {
    state.withLock { $0.hasEnded = true }
    await stop()
  }

  /// Ends it for good, without waiting.
  public func abandon() {
    state.withLock { $0.hasEnded = true }
    for task in takeRunning()?.tasks ?? [] { task.cancel() }
  }

  private func stop() async {
    guard let running = takeRunning() else { return }
    for task in running.tasks { task.cancel() }
    for task in running.tasks { await task.value }
    await node.allowQueries(extraPerSecond: 0)
  }

  private func takeRunning() -> Running? {
    isOn.store(false, ordering: .relaxed)
    return state.withLock { state in
      defer {
        state.running = nil
        state.requested = nil
      }
      return state.running
    }
  }
}
