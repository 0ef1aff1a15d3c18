import Addresses
import DNSResolution
import DNSWire
import PlainText

extension PKDNSConfiguration {
  /// The same for the resolver of one of `loops` threads; `own`: where the server listens.
  func policy(loops: Int, own: [Endpoint]) -> ResolutionPolicy {
    var policy = ResolutionPolicy()
    policy.suffixes = dht.suffixes
    policy.maximumUDPSize = dns.udpSize
    policy.extendedErrors = dns.extendedErrors
    policy.serverIdentifier = Array(dns.nsid.utf8)
    policy.keepaliveUnits = UInt16(clamping: streams.idle.components.seconds * 10)
    policy.marksVerifiedKeyData = dns.marksVerifiedKeyData
    policy.trustsForwardedAD = dns.trustsForwardedAD
    applyCaches(to: &policy, loops: loops)
    applyWork(to: &policy, loops: loops)
    applyClients(to: &policy)
    applyKeys(to: &policy, own.map(\.address).filter { !$0.isUnspecified })
    policy.local.forwardsPrivateReverseNames = dns.forwardsPrivateReverse
    policy.local.blocked = Set(access.blockedNames)
    policy.local.petnames = names
    let resolvers = DesignatedResolvers(self)
    policy.local.designatedResolvers = resolvers.bindings
    policy.local.designatedAddresses = resolvers.addresses
    return policy
  }

  private func applyCaches(to policy: inout ResolutionPolicy, loops: Int) {
    if let minimum = dns.minimumTTL {
      policy.cache.minimumKeyTTL = minimum
      policy.cache.minimumForwardedTTL = minimum
    }
    policy.cache.maximumKeyTTL = dns.maximumTTL
    policy.cache.maximumForwardedTTL = dns.maximumTTL
    policy.cache.staleAnswerWaitMilliseconds = UInt32(clamping: dns.staleAnswerWait.wholeMilliseconds)
    // Packets and answers made of them share what the file gives them, in the proportion of the defaults.
    let forKeys = (dht.cacheMegabytes << 20) / loops
    policy.cache.packetBytes = forKeys / 100 * 64
    policy.cache.keyAnswerBytes = forKeys - policy.cache.packetBytes
    policy.cache.forwardedAnswerBytes = (dns.cacheMegabytes << 20) / loops
  }

  private func applyWork(to policy: inout ResolutionPolicy, loops: Int) {
    policy.work.deadlineMilliseconds = UInt32(clamping: dns.deadline.wholeMilliseconds)
    policy.work.maximumQueriesInFlight = max(100, policy.work.maximumQueriesInFlight / loops)
    // The first step answers the question itself.
    policy.work.maximumAliases = max(0, dns.maximumSteps - 1)
    policy.work.maximumDelegations = min(policy.work.maximumDelegations, max(0, dns.maximumSteps - 1))
  }

  private func applyClients(to policy: inout ResolutionPolicy) {
    func burst(_ burst: Double, _ rate: Double) -> Double { burst == 0 ? rate : burst }
    policy.clients.allowed = access.allow
    policy.clients.denied = access.deny
    policy.clients.unlimited = access.unlimited
    policy.clients.udpQueriesPerSecond = dns.rateLimit
    policy.clients.udpBurst = burst(dns.rateLimitBurst, dns.rateLimit)
    policy.clients.streamQueriesPerSecond = dns.streamRateLimit
    policy.clients.streamBurst = burst(dns.streamRateLimitBurst, dns.streamRateLimit)
    policy.clients.equalAnswersPerSecond = dns.responseRateLimit
    policy.clients.lookupsPerSecond = dht.rateLimit
    policy.clients.lookupBurst = burst(dht.rateLimitBurst, dht.rateLimit)
    policy.clients.cookieSecret = dns.cookieSecret
  }

  private func applyKeys(to policy: inout ResolutionPolicy, _ ownAddresses: [IPAddress]) {
    policy.keys.filtersPrivateAddresses = dht.filtersPrivateAddresses
    policy.keys.unfilteredAddresses = dht.unfiltered
    policy.keys.followsDelegations = dht.followsDelegations
    policy.keys.allowedServers = dht.allowedServers
    policy.keys.ownAddresses = ownAddresses
    policy.keys.servesProofs = dht.servesProofs
    policy.keys.soaServer = dht.soaServer
    policy.keys.soaMailbox = dht.soaMailbox
    policy.keys.nameServers = dht.nameServers
  }
}
