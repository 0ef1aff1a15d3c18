import Addresses
import DNSWire
import MainlineProtocol

/// What clients may ask: access, rates, work. Bounded memory, constant time, whoever asks.
struct ClientLimits {
  /// What becomes of a query.
  enum Admission: Hashable {
    case pass
    /// No answer.
    case drop
    /// An empty answer with TC=1: who is real comes back over TCP or with a cookie.
    case slip
    /// REFUSED, and the name of what refuses it.
    case refuse(Refusal)
  }

  /// What refuses a query.
  enum Refusal: String, Hashable {
    case accessList = "not allowed by the access list"
    case queryRate = "over the query rate limit"
    case lookupRate = "over the key lookup limit"
    case inFlight = "too many queries in flight"
  }

  private struct Client {
    var bucket = TokenBucket()
    var overLimit: UInt32 = 0
  }

  private struct Work {
    var lookups = TokenBucket()
    var inFlight = 0
  }

  /// A client and a kind of transport in one number.
  private struct ClientKey: Hashable {
    let bits: UInt64
    let isDatagram: Bool
  }

  private var clients: RecencyMap<ClientKey, Client>
  private var work: RecencyMap<ClientKey, Work>
  private var equalAnswers: RecencyMap<UInt64, Client>
  private var policy: ResolutionPolicy.ClientPolicy
  private var datagramRate: Rate
  private var streamRate: Rate
  private var lookupRate: Rate
  private var equalRate: Rate

  init(_ policy: ResolutionPolicy.ClientPolicy) {
    self.policy = policy
    clients = RecencyMap(capacity: policy.rememberedClients)
    work = RecencyMap(capacity: policy.rememberedClients)
    equalAnswers = RecencyMap(capacity: policy.rememberedClients)
    datagramRate = Rate(perSecond: policy.udpQueriesPerSecond, burst: policy.udpBurst)
    streamRate = Rate(perSecond: policy.streamQueriesPerSecond, burst: policy.streamBurst)
    lookupRate = Rate(perSecond: policy.lookupsPerSecond, burst: policy.lookupBurst)
    equalRate = Rate(perSecond: policy.equalAnswersPerSecond, burst: policy.equalAnswersPerSecond)
  }

  /// How many clients are remembered.
  var count: Int { max(clients.count, work.count) }

  /// Takes other limits; what was counted stays.
  mutating func update(_ policy: ResolutionPolicy.ClientPolicy) {
    guard policy != self.policy else { return }
    let capacityChanged = policy.rememberedClients != self.policy.rememberedClients
    let old = self
    self = ClientLimits(policy)
    if !capacityChanged {
      clients = old.clients
      work = old.work
      equalAnswers = old.equalAnswers
    }
  }

  private func key(_ address: IPAddress, isDatagram: Bool) -> ClientKey {
    ClientKey(bits: block(address), isDatagram: isDatagram)
  }

  /// The bits of an address that make a client. Those of IPv4 stand where no IPv6 address in use has only them.
  private func block(_ address: IPAddress) -> UInt64 {
    if address.isIPv4 { return address.prefix(policy.ipv4Bits).low }
    return address.prefix(min(policy.ipv6Bits, 64)).high
  }

  /// True for those who are under no limit.
  func isUnlimited(_ address: IPAddress) -> Bool {
    !policy.unlimited.isEmpty && policy.unlimited.contains { $0.contains(address) }
  }

  /// True for those who are served at all.
  func isServed(_ address: IPAddress) -> Bool {
    if !policy.denied.isEmpty, policy.denied.contains(where: { $0.contains(address) }) { return false }
    return policy.allowed.isEmpty || policy.allowed.contains { $0.contains(address) }
  }

  /// Counts a query. `questionHash` tells equal answers to one network apart from others.
  mutating func admit(_ origin: QueryOrigin, hasValidCookie: Bool, questionHash: UInt64, now: Instant) -> Admission {
    let address = origin.client.address
    guard isServed(address) else { return .refuse(.accessList) }
    if isUnlimited(address) { return .pass }
    if origin.transport == .udp {
      // A valid cookie proves that the address is the client's own, which is then as good as a connection.
      if hasValidCookie { return admitStream(address, now) }
      return admitDatagram(address, questionHash, now)
    }
    return admitStream(address, now)
  }

  private mutating func admitStream(_ address: IPAddress, _ now: Instant) -> Admission {
    guard policy.streamQueriesPerSecond > 0 else { return .pass }
    let rate = streamRate
    let passes = clients.touch(key(address, isDatagram: false), initial: Client()) {
      $0.bucket.admit(rate: rate, now: now)
    }
    return passes ? .pass : .refuse(.queryRate)
  }

  private mutating func admitDatagram(_ address: IPAddress, _ questionHash: UInt64, _ now: Instant) -> Admission {
    let slip = policy.slip
    if policy.udpQueriesPerSecond > 0 {
      let rate = datagramRate
      let admission = clients.touch(key(address, isDatagram: true), initial: Client()) {
        Self.admit(&$0, rate, slip, now)
      }
      if admission != .pass { return admission }
    }
    guard policy.equalAnswersPerSecond > 0 else { return .pass }
    // Networks, not hosts: a forger can take any address of his victim's network (/24, /56).
    let network = address.isIPv4 ? address.low >> 8 : address.high >> 8
    let rate = equalRate
    return equalAnswers.touch(network &* 0x9e37_79b9_7f4a_7c15 ^ questionHash, initial: Client()) {
      Self.admit(&$0, rate, slip, now)
    }
  }

  private static func admit(_ client: inout Client, _ rate: Rate, _ slip: Int, _ now: Instant) -> Admission {
    if client.bucket.admit(rate: rate, now: now) { return .pass }
    client.overLimit &+= 1
    return slip > 0 && client.overLimit % UInt32(clamping: slip) == 0 ? .slip : .drop
  }

  /// Counts a search for a packet that a client causes; false if it may not.
  mutating func admitLookup(_ address: IPAddress, now: Instant) -> Bool {
    guard policy.lookupsPerSecond > 0, !isUnlimited(address) else { return true }
    let rate = lookupRate
    return work.touch(key(address, isDatagram: false), initial: Work()) { $0.lookups.admit(rate: rate, now: now) }
  }

  /// Counts a query that will wait; false if its client has too many already.
  mutating func beginWaiting(_ address: IPAddress, limit: Int) -> Bool {
    let isUnlimited = isUnlimited(address)
    return work.touch(key(address, isDatagram: false), initial: Work()) { work in
      guard work.inFlight < limit || isUnlimited else { return false }
      work.inFlight += 1
      return true
    }
  }

  /// Counts a query that waits no longer.
  mutating func endWaiting(_ address: IPAddress) {
    _ = work.touchIfPresent(key(address, isDatagram: false)) { $0.inFlight = max(0, $0.inFlight - 1) }
  }
}
