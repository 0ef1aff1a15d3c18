import Addresses

/// What the node tells about itself.
extension DHTNode {
  /// How the node is doing.
  public func info(at now: Instant) -> NodeInfo {
    NodeInfo(
      families: families.map { state in
        let nodes = state.table.usableNodes()
        return NodeInfo.Family(
          family: state.family, id: state.table.localID, publicEndpoint: state.votes.publicEndpoint,
          goodNodes: nodes.count { $0.isGood(at: now) }, questionableNodes: nodes.count { !$0.isGood(at: now) },
          secureNodes: nodes.count(where: \.isSecure), buckets: state.table.buckets.all.count { !$0.nodes.isEmpty })
      }, isServer: serverMode.isServer, isFirewalled: serverMode.isFirewalled, networkSize: sizeEstimate.nodeCount,
      networkSizeDeviation: sizeEstimate.relativeDeviation, storedItems: items.mutableCount + items.immutableCount,
      storedInfoHashes: peers.infoHashCount, uptime: startedAt.duration(to: now),
      responseRate: requests.answeredShare, roundTrip: requests.roundTrips.typical, statistics: statistics)
  }

  /// What to keep over a restart.
  public func saved(at now: Instant) -> SavedNodes {
    SavedNodes(
      ids: Dictionary(uniqueKeysWithValues: families.map { ($0.family, $0.table.localID) }),
      publicEndpoints: families.compactMap(\.votes.publicEndpoint),
      nodes: families.flatMap { $0.table.nodesToSave(limit: 200, at: now) })
  }
}
