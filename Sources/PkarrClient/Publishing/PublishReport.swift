import MainlineProtocol
import Pkarr

/// What became of a publication, backend by backend.
public struct PublishReport: Sendable {
  /// The DHT or one relay.
  public struct Backend: Sendable {
    /// Which one.
    public var target: PacketSource
    /// How many nodes stored the packet, or why none did.
    public var result: Result<Int, PublishError>
    /// What a relay that failed said.
    public var relayError: RelayError?
    /// What the nodes of the DHT did, if any stored it.
    public var outcome: PutOutcome?
    /// How long it took.
    public var duration: Duration
  }

  /// How many nodes stored the packet: the most that one backend reports, for several may have stored at the same nodes.
  /// Or why it is not published.
  public var result: Result<Int, PublishError>
  /// The DHT and each relay; empty if nothing was sent.
  public var backends: [Backend]
  /// The figures of the DHT that somebody should look at.
  public var warnings: [ReportWarning]
  /// The packet that was sent; nil if nothing was.
  public var packet: SignedPacket?

  /// How many nodes stored the packet; 0 if it is not published.
  public var storedNodes: Int { (try? result.get()) ?? 0 }

  /// Nothing was sent.
  init(refusing error: PublishError) {
    result = .failure(error)
    backends = []
    warnings = []
  }

  /// Puts the results together: the relays' first become one, which then stands beside that of the DHT.
  init(_ backends: [Backend], _ policy: ReportPolicy) {
    self.backends = backends
    warnings = backends.flatMap { backend in
      backend.outcome.map { policy.warnings(storedOn: $0.stored) } ?? []
    }
    var relays = PublishAccumulator()
    var all = PublishAccumulator()
    for backend in backends {
      if backend.target == .dht { all.record(backend.result) } else { relays.record(backend.result) }
    }
    if backends.contains(where: { $0.target != .dht }) { all.record(relays.result) }
    result = all.result
  }
}
