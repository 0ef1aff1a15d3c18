import Addresses

/// What a node keeps over a restart: its ids, its public endpoint and nodes that were good.
public struct SavedNodes: Sendable, Hashable {
  /// Our ids, by family.
  public var ids: [IPAddress.Family: NodeID]
  /// Our public endpoints, as far as known.
  public var publicEndpoints: [Endpoint]
  /// Good nodes, longest known first, at most 200 of each family.
  public var nodes: [NodeContact]

  /// Joins what was saved.
  public init(
    ids: [IPAddress.Family: NodeID] = [:], publicEndpoints: [Endpoint] = [], nodes: [NodeContact] = []
  ) {
    self.ids = ids
    self.publicEndpoints = publicEndpoints
    self.nodes = nodes
  }
}
