import Addresses
import DNSWire

/// A name for special use: answered here, never forwarded.
enum SpecialName: Hashable, Sendable {
  /// `localhost` and everything below it: the loopback addresses (RFC 6761 §6.3).
  case localhost
  /// A zone that is empty: the apex exists, nothing below it does.
  case empty(apex: DomainName)
  /// A zone of which nothing exists, not even the apex.
  case nonexistent(apex: DomainName)
  /// `resolver.arpa` or a name below it (RFC 9462 §6.4); true for `_dns.resolver.arpa`.
  case resolver(isDesignation: Bool, exists: Bool)

  private static let localhostName = DomainName.literal("localhost")
  static let resolverArpa = DomainName.literal("resolver.arpa")
  private static let designation = DomainName.literal("_dns.resolver.arpa")

  /// Names that do not exist in the DNS: RFC 6761 (`test`, `invalid`), RFC 6762 (`local`), RFC 7686 (`onion`), RFC 9476
  /// (`alt`).
  private static let nonexistent: [DomainName] = [
    .literal("test"), .literal("invalid"), .literal("local"), .literal("onion"), .literal("alt"),
  ]

  /// `home.arpa` (RFC 8375) and the reverse names of RFC 6303 and RFC 7793.
  private static let homeArpa = DomainName.literal("home.arpa")
  private static let reverseZones: Set<DomainName> = {
    var texts = ["0", "10", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255", "168.192"]
    texts += (16...31).map { "\($0).172" } + (64...127).map { "\($0).100" }
    var zones = texts.map { $0 + ".in-addr.arpa" }
    let zeros = repeatElement("0", count: 31).joined(separator: ".")
    zones += ["0.\(zeros)", "1.\(zeros)", "d.f", "8.e.f", "9.e.f", "a.e.f", "b.e.f", "8.b.d.0.1.0.0.2"].map {
      $0 + ".ip6.arpa"
    }
    return Set(zones.compactMap { try? DomainName($0) })
  }()
  private static let arpa = Array("\u{4}arpa\u{0}".utf8)

  /// Tells whether a name in lower case is special; nil if it is not, or if the operator wants it forwarded.
  init?(_ name: DomainName, policy: ResolutionPolicy.LocalPolicy) {
    guard let special = Self.find(name, policy) else { return nil }
    if policy.forwarded.contains(where: { name.hasSuffix($0.lowercased) }) { return nil }
    self = special
  }

  private static func find(_ name: DomainName, _ policy: ResolutionPolicy.LocalPolicy) -> SpecialName? {
    if name.wire.suffix(arpa.count).elementsEqual(arpa) { return findArpa(name, policy) }
    if name.hasSuffix(localhostName) { return .localhost }
    for zone in nonexistent where name.hasSuffix(zone) { return .nonexistent(apex: zone) }
    return nil
  }

  private static func findArpa(_ name: DomainName, _ policy: ResolutionPolicy.LocalPolicy) -> SpecialName? {
    if name.hasSuffix(resolverArpa) {
      return .resolver(isDesignation: name == designation, exists: name == designation || name == resolverArpa)
    }
    if name.hasSuffix(homeArpa) { return .empty(apex: homeArpa) }
    guard !policy.forwardsPrivateReverseNames else { return nil }
    var current: DomainName? = name
    while let candidate = current, !candidate.isRoot {
      if reverseZones.contains(candidate) { return .empty(apex: candidate) }
      current = candidate.parent
    }
    return nil
  }
}
