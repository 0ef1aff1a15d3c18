import Addresses

/// The nodes that a node knows: 160 buckets by XOR distance from its own id (BEP 5, mainline rules of liveness).
///
/// Only nodes that answered us stand in a bucket. A full bucket keeps who is good; newcomers wait in a small cache for a
/// place, and so do nodes that asked us but have not answered yet.
struct RoutingTable: Sendable {
  struct Bucket: Sendable {
    fileprivate(set) var nodes = NodeList()
    fileprivate(set) var replacements = NodeList()
    fileprivate(set) var lastResponse = Instant.distantPast
    /// When a lookup for a random id of this bucket was last started.
    var lastRefresh = Instant.distantPast
  }

  /// What a response has changed.
  enum Admission: Equatable, Sendable {
    case updated, added, refused
    /// It waits for a place; whoever holds it should prove that he is still there.
    case waiting(toPing: NodeContact?)
    /// The node at this endpoint has changed its id and was removed.
    case changedID
  }

  /// Nodes in a bucket (K).
  static let bucketSize = 20
  /// Nodes that wait for a place in a bucket.
  static let replacementCount = 8
  /// Different secure ids that one IPv4 address can have (BEP 42).
  static let maximumPerHost = 8
  /// Nodes of one /24 (IPv6 /64) in a bucket.
  static let maximumPerNetwork = 2

  let localID: NodeID
  /// False on an isolated network, where all nodes may have one address.
  private let limitsAddresses: Bool
  private(set) var buckets = BucketList()
  /// Of the nodes in the buckets.
  private var addresses = AddressFingerprints()
  /// Bit n of the word is set if bucket n holds a node: spares the look at empty ones.
  private var occupied = OccupiedBuckets()

  init(localID: NodeID, limitsAddresses: Bool) {
    self.localID = localID
    self.limitsAddresses = limitsAddresses
  }

  /// Number of nodes in the buckets.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// The id of the node in a bucket that is at this endpoint.
  func id(at endpoint: Endpoint) -> NodeID? {
    guard addresses.mayContain(sharedAddress(endpoint)) else { return nil }
    for bucket in buckets.all {
      if let index = bucket.nodes.firstIndex(where: { $0.endpoint == endpoint }) { return bucket.nodes[index].id }
    }
    return nil
  }

  /// What is counted as one address: on an isolated network nodes may differ in nothing but their ports.
  private func sharedAddress(_ endpoint: Endpoint) -> AddressBlock {
    limitsAddresses ? .host(endpoint.address) : .endpoint(endpoint)
  }

  // MARK: Hearing of nodes

  /// A node answered a query of ours.
  mutating func responded(
    _ contact: NodeContact, isSecure: Bool, asksForItems: Bool = false, at now: Instant
  ) -> Admission {
    let number = localID.bucketDistance(to: contact.id)
    let known = buckets[number].nodes.firstIndex { $0.id == contact.id }
    let isUnchanged = known.map { buckets[number].nodes[$0].endpoint == contact.endpoint } ?? false
    if !isUnchanged, let other = id(at: contact.endpoint), other != contact.id {
      remove(id: other)
      return .changedID
    }
    guard number > 0 else { return .refused }
    if let index = known {
      buckets[number].nodes[index].answered(asksForItems: asksForItems, at: now)
      return refresh(bucket: number, index: index, contact, isSecure: isSecure, at: now)
    }
    guard admitsAddress(contact, isSecure: isSecure, bucket: number) else { return .refused }
    let newcomer = RoutingNode(contact, isSecure: isSecure, hasResponded: true, at: now)
    buckets[number].replacements.removeAll { $0.id == contact.id || $0.endpoint == contact.endpoint }
    if buckets[number].nodes.count < Self.bucketSize {
      insert(newcomer, bucket: number, at: now)
      return .added
    }
    if let bad = buckets[number].nodes.firstIndex(where: \.isBad) {
      removeNode(bucket: number, index: bad)
      insert(newcomer, bucket: number, at: now)
      return .added
    }
    keepWaiting(newcomer, bucket: number)
    let silent = buckets[number].nodes.filter { !$0.isGood(at: now) }.min {
      $0.lastHeard(at: now) < $1.lastHeard(at: now)
    }
    return .waiting(toPing: silent?.contact)
  }

  /// A node asked us something. True if it is new here and now waits, to be pinged.
  mutating func queried(by contact: NodeContact, isSecure: Bool, at now: Instant) -> Bool {
    let number = localID.bucketDistance(to: contact.id)
    guard number > 0 else { return false }
    if let index = buckets[number].nodes.firstIndex(where: { $0.id == contact.id }) {
      if buckets[number].nodes[index].endpoint == contact.endpoint {
        buckets[number].nodes[index].queried(at: now)
      }
      return false
    }
    let isWaiting = buckets[number].replacements.contains {
      $0.id == contact.id || $0.endpoint == contact.endpoint
    }
    guard !isWaiting, id(at: contact.endpoint) == nil,
      admitsAddress(contact, isSecure: isSecure, bucket: number)
    else { return false }
    keepWaiting(RoutingNode(contact, isSecure: isSecure, hasResponded: false, at: now), bucket: number)
    return true
  }

  /// A node did not answer. Returns true if the node should be asked once more because others wait for its place.
  mutating func failed(_ contact: NodeContact, asksForItems: Bool = false) -> Bool {
    let number = localID.bucketDistance(to: contact.id)
    buckets[number].replacements.removeAll { $0.contact == contact && !$0.hasResponded }
    guard let index = buckets[number].nodes.firstIndex(where: { $0.contact == contact }) else { return false }
    buckets[number].nodes[index].failed(asksForItems: asksForItems)
    let failures = buckets[number].nodes[index].failureCount
    // Without an heir even a bad node stays: if our own network was gone, it may be all that is left.
    guard let heir = buckets[number].replacements.lastIndex(where: \.hasResponded) else { return false }
    guard failures >= 2 else { return true }
    let node = buckets[number].replacements.remove(at: heir)
    removeNode(bucket: number, index: index)
    insert(node, bucket: number, at: nil)
    return false
  }

  mutating func remove(id: NodeID) {
    let number = localID.bucketDistance(to: id)
    guard let index = buckets[number].nodes.firstIndex(where: { $0.id == id }) else { return }
    removeNode(bucket: number, index: index)
  }

  // MARK: Rules

  private mutating func refresh(
    bucket number: Int, index: Int, _ contact: NodeContact, isSecure: Bool, at now: Instant
  ) -> Admission {
    let node = buckets[number].nodes[index]
    if node.endpoint != contact.endpoint {
      // The same id from elsewhere: believed only if it is bound to its new address and the old one was not, or if the
      // old one is gone.
      guard node.isBad || isSecure && !node.isSecure else { return .refused }
      removeNode(bucket: number, index: index)
      insert(RoutingNode(contact, isSecure: isSecure, hasResponded: true, at: now), bucket: number, at: now)
      return .added
    }
    buckets[number].nodes[index].responded(at: now)
    buckets[number].lastResponse = now
    return .updated
  }

  private func admitsAddress(_ contact: NodeContact, isSecure: Bool, bucket number: Int) -> Bool {
    guard limitsAddresses else { return true }
    let network = AddressBlock.network(contact.endpoint.address)
    let neighbours = buckets[number].nodes.count {
      AddressBlock.network($0.endpoint.address) == network
    }
    guard neighbours < Self.maximumPerNetwork else { return false }
    // One insecure node per address, or several secure ones with different prefixes.
    let host = AddressBlock.host(contact.endpoint.address)
    guard addresses.mayContain(host) else { return true }
    for bucket in buckets.all {
      for node in bucket.nodes where AddressBlock.host(node.endpoint.address) == host {
        guard isSecure,
          node.endpoint == contact.endpoint || SecureNodeID.prefix(of: node.id) != SecureNodeID.prefix(of: contact.id),
          SecureNodeID.isValid(node.id, for: node.endpoint.address, exemptsLocalNetworks: false)
        else { return false }
      }
    }
    return true
  }

  /// Puts a node into its bucket, which heard of it `now` (nil: it has been waiting).
  private mutating func insert(_ node: RoutingNode, bucket number: Int, at now: Instant?) {
    buckets[number].nodes.append(node)
    if let now { buckets[number].lastResponse = max(buckets[number].lastResponse, now) }
    addresses.insert(sharedAddress(node.endpoint))
    occupied.insert(number)
    count += 1
  }

  private mutating func removeNode(bucket number: Int, index: Int) {
    let node = buckets[number].nodes.remove(at: index)
    addresses.remove(sharedAddress(node.endpoint))
    if buckets[number].nodes.isEmpty { occupied.remove(number) }
    count -= 1
  }

  private mutating func keepWaiting(_ node: RoutingNode, bucket number: Int) {
    if buckets[number].replacements.count >= Self.replacementCount {
      // Whoever has answered is worth more than whoever has only asked.
      let asker = buckets[number].replacements.firstIndex { !$0.hasResponded }
      guard let place = asker ?? (node.hasResponded ? 0 : nil) else { return }
      buckets[number].replacements.remove(at: place)
    }
    buckets[number].replacements.append(node)
  }
}

// MARK: - Finding nodes

extension RoutingTable {
  /// A node that was found: its place in the table, and how it ranks. Small, since many are moved about.
  struct Match: Sendable {
    /// The first 64 bits of its distance.
    fileprivate var distance: UInt64 = 0
    fileprivate var rank: UInt16 = 0
    fileprivate var bucket: UInt8 = 0
    fileprivate var index: UInt8 = 0
  }

  /// The closest nodes, nearest first, in a buffer of fixed size.
  struct Matches: Sendable {
    fileprivate var items = InlineArray<8, Match>(repeating: Match())
    fileprivate(set) var count = 0
    fileprivate let limit: Int

    fileprivate init(limit: Int) { self.limit = min(limit, 8) }

    fileprivate var isFull: Bool { count == limit }

    @inline(__always)
    fileprivate mutating func insert(_ match: Match, before precedes: (Match, Match) -> Bool) {
      var place = count
      while place > 0, precedes(match, items[place &- 1]) { place &-= 1 }
      guard place < limit else { return }
      if count < limit { count &+= 1 }
      var index = count &- 1
      while index > place {
        items[index] = items[index &- 1]
        index &-= 1
      }
      items[place] = match
    }
  }

  /// At most eight good nodes that may be named to others, by XOR distance from `target`; among nodes that share the
  /// same number of leading bits with it, secure ones first.
  @inline(__always)
  func closest(to target: NodeID, limit: Int = 8, excluding asker: Endpoint?, at now: Instant) -> Matches {
    var matches = Matches(limit: limit)
    let home = localID.bucketDistance(to: target)
    // Who shares the target's bucket is nearest; then all lower buckets together; then the higher ones, one by one.
    if home > 0 { collect(bucket: home, target, excluding: asker, at: now, into: &matches) }
    if matches.isFull { return matches }
    occupied.forEach(below: home) { collect(bucket: $0, target, excluding: asker, at: now, into: &matches) }
    occupied.forEach(above: home) { number in
      if !matches.isFull { collect(bucket: number, target, excluding: asker, at: now, into: &matches) }
    }
    return matches
  }

  @inline(__always)
  private func collect(
    bucket number: Int, _ target: NodeID, excluding asker: Endpoint?, at now: Instant, into matches: inout Matches
  ) {
    buckets[number].nodes.forEachIndexed { index, node in
      guard node.isGood(at: now), asker.map({ node.endpoint != $0 }) ?? true else { return }
      let distance = node.id ^ target
      let rank = (160 &- distance.leadingZeroBitCount) &* 2 &+ (node.isSecure ? 0 : 1)
      let match = Match(
        distance: distance.first, rank: UInt16(truncatingIfNeeded: rank),
        bucket: UInt8(truncatingIfNeeded: number), index: UInt8(truncatingIfNeeded: index))
      matches.insert(match) { a, b in
        if a.rank != b.rank { return a.rank < b.rank }
        if a.distance != b.distance { return a.distance < b.distance }
        return id(of: a) ^ target < id(of: b) ^ target
      }
    }
  }

  private func id(of match: Match) -> NodeID { buckets[Int(match.bucket)].nodes[Int(match.index)].id }

  /// Match `index` of a search made just before.
  @inline(__always)
  func contact(_ matches: Matches, _ index: Int) -> NodeContact {
    let match = matches.items[index]
    return buckets[Int(match.bucket)].nodes[Int(match.index)].contact
  }

  /// True if there is a node that is not bad.
  var hasUsableNodes: Bool {
    count > 0 && buckets.all.contains { $0.nodes.contains { !$0.isBad } }
  }

  /// Number of good nodes.
  func goodCount(at now: Instant) -> Int {
    count == 0 ? 0 : buckets.all.reduce(0) { $0 + $1.nodes.count { $0.isGood(at: now) } }
  }

  /// All nodes that are not bad.
  func usableNodes() -> [RoutingNode] {
    var nodes: [RoutingNode] = []
    nodes.reserveCapacity(count)
    for bucket in buckets.all.reversed() { nodes += bucket.nodes.lazy.filter { !$0.isBad } }
    return nodes
  }
}

// MARK: - Maintenance

extension RoutingTable {
  /// Nodes not heard of for `silence`, longest silent first, at most `limit`.
  func silentNodes(for silence: Duration, limit: Int, at now: Instant) -> [NodeContact] {
    let due = now.advanced(by: .zero - silence)
    var silent: [(since: Instant, contact: NodeContact)] = []
    for bucket in buckets.all.reversed() {
      for node in bucket.nodes where !node.isBad {
        let since = node.lastHeard(at: now)
        if since <= due { silent.append((since, node.contact)) }
      }
    }
    return silent.sorted { $0.since < $1.since }.prefix(limit).map(\.contact)
  }

  /// The node that waits longest and has never answered: to be pinged.
  func unconfirmed(at now: Instant) -> NodeContact? {
    var oldest: RoutingNode?
    for bucket in buckets.all.indices {
      buckets.all[bucket].replacements.forEachIndexed { _, node in
        // Who has only asked is not heard of again, so this is the time when it came.
        guard !node.hasResponded, !node.isBad, oldest.map({ node.lastHeard(at: now) < $0.lastHeard(at: now) }) ?? true
        else { return }
        oldest = node
      }
    }
    return oldest?.contact
  }

  /// It has been pinged; if it answers it enters as a responder.
  mutating func forgetUnconfirmed(_ contact: NodeContact) {
    buckets[localID.bucketDistance(to: contact.id)].replacements.removeAll {
      $0.contact == contact && !$0.hasResponded
    }
  }

  /// A bucket that heard nothing for 15 minutes: one that holds nodes, or the first empty one below those.
  func staleBucket(at now: Instant) -> Int? {
    let lowest = occupied.lowest ?? 160
    let due = now.advanced(by: .zero - RoutingNode.goodFor)
    return (max(1, lowest - 1)...160).first { number in
      let bucket = buckets[number]
      return (!bucket.nodes.isEmpty || number == lowest - 1) && bucket.lastResponse <= due && bucket.lastRefresh <= due
    }
  }

  mutating func refreshed(bucket number: Int, at now: Instant) { buckets[number].lastRefresh = now }

  /// The same nodes seen from another id: for a node whose address has changed.
  func rebuilt(around id: NodeID, at now: Instant) -> RoutingTable {
    var table = RoutingTable(localID: id, limitsAddresses: limitsAddresses)
    for node in usableNodes() where node.id != id {
      let number = id.bucketDistance(to: node.id)
      guard table.buckets[number].nodes.count < Self.bucketSize else { continue }
      table.insert(node, bucket: number, at: node.hasResponded ? node.lastHeard(at: now) : nil)
    }
    return table
  }

  /// Good nodes, longest known first.
  func nodesToSave(limit: Int, at now: Instant) -> [NodeContact] {
    usableNodes().filter { $0.isGood(at: now) }.sorted { $0.age(at: now) > $1.age(at: now) }
      .prefix(limit).map(\.contact)
  }
}
