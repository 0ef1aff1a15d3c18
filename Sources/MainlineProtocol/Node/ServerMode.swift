import Addresses
import Bencode
import WireFormat
import Cryptography

/// Whether the node answers queries: decided by its configuration, or by proof that it can be reached (BEP 43).
struct ServerMode: Sendable {
  /// The node must have had the same address for this long before it serves.
  static let trialPeriod: Duration = .seconds(15 * 60)
  /// The table must hold this many good nodes.
  static let minimumGoodNodes = 10
  /// Within this time after the promotion strangers must have asked.
  static let probation: Duration = .seconds(30 * 60)
  /// From so many providers.
  static let minimumStrangers = 3
  /// A node that nobody asked is a client for this long.
  static let penalty: Duration = .seconds(6 * 3600)

  /// A query that we sent to ourselves from another socket.
  private struct Probe: Sendable {
    let id: NodeID
    let transaction: UInt32
  }

  private let configured: NodeConfiguration.Mode
  private(set) var isServer: Bool
  private var probe: Probe?
  /// Since when the present address holds, and where the node was last proven reachable.
  private var addressSince: Instant
  private(set) var reachableAt: Endpoint?
  private var promotedAt: Instant?
  private var strangers: Set<AddressBlock> = []
  /// Whom we asked during probation: he does not count as a stranger.
  private var contacted: RecencyMap<AddressBlock, Bool>
  private var clientUntil = Instant.distantPast

  init(_ mode: NodeConfiguration.Mode, at now: Instant) {
    configured = mode
    isServer = mode == .server
    addressSince = now
    contacted = RecencyMap(capacity: mode == .adaptive ? 4096 : 1)
  }

  /// False only for a node that is proven reachable.
  var isFirewalled: Bool { reachableAt == nil }

  // MARK: Reachability

  /// The datagram that proves reachability if it comes in at the node's own socket.
  mutating func makeProbe(version: [UInt8], random: inout RandomSource) -> [UInt8] {
    let probe = Probe(
      id: NodeID.random(using: &random), transaction: UInt32(truncatingIfNeeded: random.next()))
    self.probe = probe
    let envelope = OutgoingQuery.Envelope(
      id: probe.id, isReadOnly: true, version: version, wantsBothFamilies: false)
    return [UInt8](upTo: DatagramQueue.maximumDatagramSize) {
      OutgoingQuery.ping.write(to: &$0, transaction: probe.transaction, envelope: envelope)
    } ?? []
  }

  /// True if this query is the probe.
  mutating func takeProbe(_ message: KRPCMessage, _ datagram: RawSpan, from sender: Endpoint, at now: Instant) -> Bool {
    guard let probe, message.transaction.count == 4, message.body.id.isPresent,
      datagram.extracting(message.transaction).withUnsafeBytes({
        UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)) == probe.transaction
      }), NodeID(datagram.extracting(message.body.id)) == probe.id
    else { return false }
    self.probe = nil
    return true
  }

  mutating func confirmed(at endpoint: Endpoint) { reachableAt = endpoint }

  /// Another public address or port: what was proven before proves nothing any more.
  mutating func addressChanged(at now: Instant) {
    addressSince = now
    reachableAt = nil
    probe = nil
    if configured == .adaptive { demote() }
  }

  // MARK: Promotion

  /// Decides anew; to be called now and then.
  mutating func review(goodNodes: Int, isSymmetric: Bool, at now: Instant) {
    guard configured == .adaptive else { return }
    if let promotedAt {
      if strangers.count >= Self.minimumStrangers { return }
      if promotedAt.duration(to: now) >= Self.probation {
        demote()
        clientUntil = now.advanced(by: Self.penalty)
      }
      return
    }
    guard reachableAt != nil, !isSymmetric, goodNodes >= Self.minimumGoodNodes, now >= clientUntil,
      addressSince.duration(to: now) >= Self.trialPeriod
    else { return }
    isServer = true
    promotedAt = now
    strangers = []
  }

  private mutating func demote() {
    isServer = false
    promotedAt = nil
    strangers = []
  }

  /// We asked this endpoint.
  mutating func contacted(_ endpoint: Endpoint) {
    guard promotedAt != nil, strangers.count < Self.minimumStrangers else { return }
    contacted.set(.provider(endpoint.address), to: true)
  }

  /// This endpoint asked us.
  mutating func queried(by endpoint: Endpoint, at now: Instant) {
    guard promotedAt != nil, strangers.count < Self.minimumStrangers else { return }
    let provider = AddressBlock.provider(endpoint.address)
    if contacted.peek(provider) == nil { strangers.insert(provider) }
  }
}
