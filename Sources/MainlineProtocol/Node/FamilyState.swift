import Addresses
import Cryptography

/// What a node has once for each address family: an id, a routing table, and an opinion about its own address (BEP 32).
struct FamilyState: Sendable {
  let family: IPAddress.Family
  var table: RoutingTable
  var votes: AddressVotes
  var lastSelfLookup = Instant.distantPast
  /// A lookup for our own id is running.
  var selfLookup: Int?
  /// A lookup for our own id has found somebody.
  var isBootstrapped = false

  init(
    family: IPAddress.Family, configuration: NodeConfiguration, saved: SavedNodes?, random: inout RandomSource
  ) {
    let isPublic = configuration.network == .public
    let configured = configuration.publicEndpoints.first { $0.family == family }
    let lastKnown = configured?.address ?? saved?.publicEndpoints.first { $0.family == family }?.address
    let id: NodeID
    if let kept = saved?.ids[family],
      lastKnown.map({ SecureNodeID.isValid(kept, for: $0, exemptsLocalNetworks: !isPublic) }) ?? true
    {
      id = kept
    } else if let address = configured?.address {
      id = SecureNodeID.generate(for: address, using: &random)
    } else {
      id = NodeID.random(using: &random)
    }
    self.family = family
    table = RoutingTable(localID: id, limitsAddresses: isPublic)
    votes = AddressVotes(configured: configured, acceptsAnyAddress: !isPublic)
  }
}
