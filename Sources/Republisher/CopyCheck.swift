import MainlineProtocol
import Pkarr

/// What a lookup of a key means for its packet: which version is to be kept alive, and who lacks it.
struct CopyCheck: Sendable {
  /// The newest version that is known.
  let packet: SignedPacket
  /// True if that is newer than the one that was kept alive so far.
  let isSuperseded: Bool
  /// Nodes that hold it, among those that it belongs to.
  let held: Int
  /// Nodes that should hold it.
  let wanted: Int
  /// Nodes that hold something older or nothing.
  let missing: [StorageNode]

  /// Most nodes that one put goes to; BEP 44 has 8, and more only where the network is dense.
  static let nodeLimit = 72

  /// True if nothing needs to be put.
  var isAlive: Bool { held >= wanted }

  /// True if somebody holds another packet of the same version, so that there is nobody to put it to.
  var isBlocked: Bool { !isAlive && missing.isEmpty }

  /// Weighs a lookup.
  ///
  /// Versions are believed only with their item, whose signature the lookup has checked: a node that names a high seq and
  /// sends nothing changes nothing.
  ///
  /// - Parameter current: The version that was kept alive so far; nil if none is known.
  /// - Throws: ``RepublishFailure``: `.noNodes`, `.notFound`, `.notAPacket`.
  init(
    of current: SignedPacket?, found: MutableItem?, counts: GetOutcome, threshold: Int, at now: Timestamp
  ) throws(RepublishFailure) {
    guard counts.responded > 0 else { throw .noNodes }
    let candidate = found.flatMap { SignedPacket($0, lastSeen: now) }
    if let found, candidate == nil, found.seq > current?.timestamp.seq ?? .min { throw .notAPacket }
    let isNewer = current.map { candidate?.isMoreRecent(than: $0) ?? false } ?? true
    guard let newest = isNewer ? candidate : current else { throw .notFound }
    isSuperseded = isNewer && current != nil
    packet = newest
    let seq = newest.timestamp.seq
    let nodes = counts.storageNodes.prefix(Self.nodeLimit)
    let isFound = candidate?.isSame(as: newest) ?? false
    // Of the nodes that name the version, some may hold another packet of it: only as many count as have sent this one.
    held = isFound ? min(counts.holdersOfNewest, nodes.count { $0.seq == seq }) : 0
    wanted = min(max(1, threshold), max(1, nodes.count))
    missing = nodes.filter { ($0.seq ?? .min) < seq }
  }

  /// The counts once `added` more nodes have stored it.
  func copies(adding added: Int = 0) -> CopyCount { CopyCount(held: held, added: added, wanted: wanted) }
}
