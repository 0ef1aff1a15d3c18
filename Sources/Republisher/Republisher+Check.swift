import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient

/// One check of one key: a lookup, and a put if the lookup says so.
extension Republisher {
  /// Nil if the check was broken off.
  func check(_ key: PublicKey) async -> RepublishOutcome? {
    let isForged = dropForged(key)
    do throws(RepublishFailure) {
      return try await attempt(key, isSecond: false)
    } catch {
      return .failed(isForged && error == .notFound ? .notPublishable : error)
    }
  }

  /// Forgets a packet that was not signed so, or that the DHT cannot store: it must not hide the one that is published.
  private func dropForged(_ key: PublicKey) -> Bool {
    guard let entry = entries[key], let packet = entry.packet, !entry.isVerified else { return false }
    let isForged = (try? MutableItem(packet)) == nil
    if isForged { entries[key]?.packet = nil } else { entries[key]?.isVerified = true }
    return isForged
  }

  private func attempt(_ key: PublicKey, isSecond: Bool) async throws(RepublishFailure) -> RepublishOutcome? {
    // What another source has brought meanwhile.
    if isSecond { _ = dropForged(key) }
    guard let entry = entries[key] else { return nil }
    let start = wallClock()
    // Nodes that hold the version, or a newer one, send it; of older ones it is enough to know that they are.
    let floor = entry.newZone == nil ? entry.packet.map { max(0, $0.timestamp.seq - 1) } : nil
    let found: MutableItem?
    let counts: GetOutcome
    do throws(QueryFailure) {
      (found, counts) = try await node.getMutable(key: key.verificationKey, newerThan: floor).outcome()
    } catch {
      if case .cancelled = error, Task.isCancelled { return nil }
      throw .noNodes
    }
    if let zone = entry.newZone, let owner = entry.owner {
      return try await publish(zone, of: owner, over: found, counts, at: start)
    }
    let check = try CopyCheck(of: entry.packet, found: found, counts: counts, threshold: policy.threshold, at: start)
    adopt(check, key)
    if let owner = entry.owner, owner.signsAnew, !check.isSuperseded {
      return try await signAnew(check, owner, counts, at: start)
    }
    if check.isAlive { return check.isSuperseded ? .superseded(check.copies()) : .alreadyAlive(check.copies()) }
    if check.isBlocked { throw .conflict }
    guard let outcome = try await put(check.packet, at: check.missing) else { return nil }
    if outcome.conflicts > 0 || outcome.stored == 0 {
      // Somebody holds something newer that the lookup has not met: look again, and go on with that.
      if outcome.conflicts > 0, !isSecond { return try await attempt(key, isSecond: true) }
      if outcome.stored == 0 { throw outcome.conflicts > 0 ? .conflict : .notStored }
    }
    let copies = check.copies(adding: outcome.stored)
    return check.isSuperseded ? .superseded(copies) : .published(copies)
  }

  /// Goes on with the newest version that a lookup has found, unless a source has brought a newer one meanwhile.
  private func adopt(_ check: CopyCheck, _ key: PublicKey) {
    if let known = entries[key]?.packet, !check.packet.isMoreRecent(than: known) { return }
    entries[key]?.packet = check.packet
    entries[key]?.isFromSource = false
    entries[key]?.isVerified = true
    onNewer?(check.packet)
  }

  /// Signs a zone that is new, or has changed, so that it replaces whatever is published.
  private func publish(
    _ zone: RepublishedKey.Zone, of owner: RepublishedKey.Owner, over found: MutableItem?, _ counts: GetOutcome,
    at start: Timestamp
  ) async throws(RepublishFailure) -> RepublishOutcome? {
    guard counts.responded > 0 else { throw .noNodes }
    let key = owner.keypair.publicKey
    let newest = max(found?.seq ?? 0, entries[key]?.packet?.timestamp.seq ?? 0)
    guard newest < .max else { throw .conflict }
    let signed = try sign(zone.records, by: owner, at: max(start, Timestamp(seq: newest + 1)))
    if let current = found.flatMap({ SignedPacket($0, lastSeen: start) }), current.timestamp.seq == newest,
      current.messageBytes == signed.messageBytes, !owner.signsAnew
    {
      // The network has just these records already, as after a state file was lost.
      entries[key]?.packet = current
      entries[key]?.isVerified = true
      entries[key]?.isFromSource = false
      entries[key]?.zoneDigest = zone.digest
      let check = try CopyCheck(of: current, found: found, counts: counts, threshold: policy.threshold, at: start)
      if check.isAlive { return .alreadyAlive(check.copies()) }
      return try await spread(current, check.missing, held: check.held, wanted: check.wanted)
    }
    let outcome = try await spread(signed, counts)
    if outcome != nil { entries[key]?.zoneDigest = zone.digest }
    return outcome
  }

  /// Signs the records that are published anew. The time is that of the beginning of the check, so that what the owner
  /// publishes elsewhere meanwhile is newer.
  private func signAnew(
    _ check: CopyCheck, _ owner: RepublishedKey.Owner, _ counts: GetOutcome, at start: Timestamp
  ) async throws(RepublishFailure) -> RepublishOutcome? {
    let seq = check.packet.timestamp.seq
    guard seq < .max else { throw .conflict }
    return try await spread(
      try sign(check.packet.records, by: owner, at: max(start, Timestamp(seq: seq + 1))), counts)
  }

  private func sign(
    _ records: [ResourceRecord], by owner: RepublishedKey.Owner, at time: Timestamp
  ) throws(RepublishFailure) -> SignedPacket {
    do throws(SignedPacketBuildError) {
      return try SignedPacket(signedBy: owner.keypair, timestamp: time, records: records, allowsAnyName: true)
    } catch {
      throw .notSignable
    }
  }

  /// Puts a packet that nobody has yet, and goes on with it once somebody has stored it.
  private func spread(_ packet: SignedPacket, _ counts: GetOutcome) async throws(RepublishFailure) -> RepublishOutcome?
  {
    let nodes = Array(counts.storageNodes.prefix(CopyCheck.nodeLimit))
    let wanted = min(max(1, policy.threshold), max(1, nodes.count))
    let outcome = try await spread(packet, nodes, held: 0, wanted: wanted)
    if outcome != nil {
      entries[packet.publicKey]?.packet = packet
      entries[packet.publicKey]?.isVerified = true
      entries[packet.publicKey]?.isFromSource = false
    }
    return outcome
  }

  private func spread(
    _ packet: SignedPacket, _ nodes: [StorageNode], held: Int, wanted: Int
  ) async throws(RepublishFailure) -> RepublishOutcome? {
    guard let outcome = try await put(packet, at: nodes) else { return nil }
    if outcome.stored == 0 { throw outcome.conflicts > 0 ? .conflict : .notStored }
    return .published(CopyCount(held: held, added: outcome.stored, wanted: wanted))
  }

  /// Puts a packet, whose signature was checked, to nodes; what they answered, also if none stored it. Nil if that was broken off.
  private func put(
    _ packet: SignedPacket, at nodes: [StorageNode]
  ) async throws(RepublishFailure) -> PutOutcome? {
    let item: MutableItem
    do throws(PublishError) { item = try MutableItem(packet, isVerified: true) } catch { throw .notPublishable }
    do throws(QueryFailure) {
      return try await node.repairMutable(item, at: nodes)
    } catch {
      switch error {
      case .cancelled:
        if Task.isCancelled { return nil }
        throw .noNodes
      case .notMostRecent(let outcome), .conflictRisk(let outcome), .casFailed(let outcome): return outcome
      case .rejected(let code, let outcome):
        if outcome.conflicts > 0 { return outcome }
        throw .refused(code: code)
      case .noNodes, .timeout: throw .notStored
      case .invalidItem: throw .notPublishable
      }
    }
  }
}
