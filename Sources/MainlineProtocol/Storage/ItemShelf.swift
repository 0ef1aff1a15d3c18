import Addresses

/// A bounded store of items of one kind that decides who has to go when it is full.
///
/// - Items that nobody put again for two hours go first, the one farthest from the node's id before the others.
/// - After them the lowest score goes: distinct networks that put the item, divided by five, minus the bucket distance
///   (libtorrent's rule: five more writers are worth one bit of distance). Among equals, the one not put for longest.
/// - A newcomer that would have the lowest score is refused instead. Reading changes nothing: a record that nobody reads
///   stays, and writing junk pushes out junk.
/// - One network may hold at most a twentieth of the items put within the last two hours.
///
/// A put costs O(1) while items are fresh (165 list heads are looked at when the store is full) and O(log n) once for
/// each item that grows old, whoever floods.
struct ItemShelf<Payload: Sendable>: Sendable {
  /// Why an item was not taken.
  enum Refusal: Error, Sendable {
    /// The store is full of items that are worth more.
    case full
    /// The writer's network holds as much as it may.
    case sourceFull
  }

  struct Slot: Sendable {
    var target: NodeID
    var payload: Payload?
    var firstPut: Instant
    var lastPut: Instant
    /// Who is charged for the item while it is fresh.
    var owner: AddressBlock
    var putters = PutterSet()
    /// Place in `aged`; −1 while the item is fresh.
    var agedIndex: Int32 = -1
  }

  /// Items not put again for this long are the first to go.
  static var freshness: Duration { .seconds(7200) }

  private static var scoreCount: Int { 160 + PutterSet.capacity / 5 + 1 }
  private static var growthStep: Int { 1024 }

  let capacity: Int
  private var ownID: NodeID
  private var positions: [NodeID: Int32] = [:]
  private var slots: [Slot] = []
  private var free: [Int32] = []
  /// Fresh items, by the time of their last put.
  private var recency = SlotLists()
  /// Fresh items, one list for each score, by the time of their last put.
  private var scores = SlotLists(count: Self.scoreCount)
  /// Items grown old: a heap with the farthest on top.
  private var aged: [Int32] = []
  private var shares: SourceShares

  /// Room for `capacity` items; 0 stores nothing.
  init(capacity: Int, ownID: NodeID, limitsSources: Bool) {
    self.capacity = max(0, capacity)
    self.ownID = ownID
    shares = SourceShares(capacity: self.capacity, isOn: limitsSources)
  }

  /// Number of items.
  var count: Int { positions.count }

  /// Bytes of bookkeeping for each item besides its value.
  static var overhead: Int {
    MemoryLayout<Slot>.stride + 2 * SlotLists.overhead + 2 * (MemoryLayout<NodeID>.stride + 4) + 4
  }

  /// What is stored for a target.
  @inline(__always)
  func payload(of target: NodeID) -> Payload? { positions[target].flatMap { slots[Int($0)].payload } }

  /// When the item was put first and last.
  func putTimes(of target: NodeID) -> (first: Instant, last: Instant)? {
    positions[target].map { (slots[Int($0)].firstPut, slots[Int($0)].lastPut) }
  }

  /// Whether an item could be put now: nil, or why not.
  mutating func refusal(of target: NodeID, from source: IPAddress, at now: Instant) -> Refusal? {
    if positions[target] != nil { return nil }
    age(at: now)
    do throws(Refusal) {
      _ = try victim(for: target, from: .network(source))
      return nil
    } catch {
      return error
    }
  }

  /// Stores or replaces an item.
  mutating func put(_ payload: Payload, target: NodeID, from source: IPAddress, at now: Instant) throws(Refusal) {
    age(at: now)
    let network = AddressBlock.network(source)
    if let position = positions[target] {
      slots[Int(position)].payload = payload
      return renew(Int(position), from: network, at: now)
    }
    if let victim = try victim(for: target, from: network) { remove(victim) }
    let slot = Slot(target: target, payload: payload, firstPut: now, lastPut: now, owner: network)
    let index: Int
    if let reused = free.popLast() {
      index = Int(reused)
      slots[index] = slot
    } else {
      // In steps instead of doubling, so that unused room stays small against what is used.
      if slots.count == slots.capacity { slots.reserveCapacity(min(capacity, slots.count + Self.growthStep)) }
      index = slots.count
      slots.append(slot)
    }
    positions[target] = Int32(index)
    shares.add(network)
    keepFresh(index, from: network, at: now)
  }

  /// Notes that somebody put the item that is stored already.
  mutating func refresh(_ target: NodeID, from source: IPAddress, at now: Instant) {
    age(at: now)
    if let position = positions[target] { renew(Int(position), from: .network(source), at: now) }
  }

  /// Moves items to the old ones whose time is over; each item moves at most once for each time it is put.
  mutating func age(at now: Instant) {
    while let oldest = recency.first(), slots[oldest].lastPut.duration(to: now) >= Self.freshness {
      recency.remove(oldest)
      scores.remove(oldest)
      shares.remove(slots[oldest].owner)
      aged.append(Int32(oldest))
      siftUp(aged.count - 1)
    }
  }

  /// Forgets items that nobody put again for `lifetime`.
  mutating func expire(after lifetime: Duration, at now: Instant) {
    while let oldest = recency.first(), slots[oldest].lastPut.duration(to: now) >= lifetime { remove(oldest) }
    for slot in aged where slots[Int(slot)].lastPut.duration(to: now) >= lifetime { remove(Int(slot)) }
  }

  /// Ranks everything anew for another id of the node. O(n log n); the id changes with the public address only.
  mutating func rank(for ownID: NodeID) {
    self.ownID = ownID
    var next = recency.first()
    while let slot = next {
      scores.append(slot, to: score(slot))
      next = recency.next(after: slot)
    }
    let old = aged
    aged.removeAll(keepingCapacity: true)
    for slot in old {
      aged.append(slot)
      siftUp(aged.count - 1)
    }
  }

  // MARK: Freshness

  private mutating func renew(_ slot: Int, from network: AddressBlock, at now: Instant) {
    slots[slot].putters.insert(network)
    if slots[slot].agedIndex >= 0 {
      // Whoever holds his share already cannot make old items fresh again: they stay the first to go.
      guard !shares.isFull(network) else { return }
      removeAged(slot)
      slots[slot].owner = network
      shares.add(network)
    }
    keepFresh(slot, from: network, at: now)
  }

  private mutating func keepFresh(_ slot: Int, from network: AddressBlock, at now: Instant) {
    slots[slot].putters.insert(network)
    slots[slot].lastPut = now
    recency.append(slot)
    scores.append(slot, to: score(slot))
  }

  /// The list of a score: 0 for the worst possible.
  private func score(_ slot: Int) -> Int {
    slots[slot].putters.count / 5 + 160 - ownID.bucketDistance(to: slots[slot].target)
  }

  // MARK: Eviction

  /// The slot that has to be emptied for a newcomer; nil if there is room.
  private func victim(for target: NodeID, from network: AddressBlock) throws(Refusal) -> Int? {
    guard capacity > 0 else { throw .full }
    guard !shares.isFull(network) else { throw .sourceFull }
    guard positions.count >= capacity else { return nil }
    if let farthest = aged.first { return Int(farthest) }
    let newcomer = 160 - ownID.bucketDistance(to: target)
    for score in 0...min(newcomer, Self.scoreCount - 1) {
      if let victim = scores.first(of: score) { return victim }
    }
    throw .full
  }

  private mutating func remove(_ slot: Int) {
    positions[slots[slot].target] = nil
    if slots[slot].agedIndex >= 0 {
      removeAged(slot)
    } else {
      recency.remove(slot)
      scores.remove(slot)
      shares.remove(slots[slot].owner)
    }
    slots[slot].payload = nil
    free.append(Int32(slot))
  }

  // MARK: The heap of old items

  @inline(__always)
  private func isFarther(_ a: Int32, _ b: Int32) -> Bool {
    slots[Int(b)].target ^ ownID < slots[Int(a)].target ^ ownID
  }

  @inline(__always)
  private mutating func place(_ slot: Int32, at index: Int) {
    aged[index] = slot
    slots[Int(slot)].agedIndex = Int32(index)
  }

  private mutating func siftUp(_ start: Int) {
    let slot = aged[start]
    var index = start
    while index > 0, isFarther(slot, aged[(index - 1) / 2]) {
      place(aged[(index - 1) / 2], at: index)
      index = (index - 1) / 2
    }
    place(slot, at: index)
  }

  private mutating func siftDown(_ start: Int) {
    let slot = aged[start]
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < aged.count else { break }
      if child + 1 < aged.count, isFarther(aged[child + 1], aged[child]) { child += 1 }
      guard isFarther(aged[child], slot) else { break }
      place(aged[child], at: index)
      index = child
    }
    place(slot, at: index)
  }

  private mutating func removeAged(_ slot: Int) {
    let index = Int(slots[slot].agedIndex)
    slots[slot].agedIndex = -1
    let last = aged.removeLast()
    guard index < aged.count else { return }
    place(last, at: index)
    siftUp(index)
    siftDown(Int(slots[Int(last)].agedIndex))
  }
}

/// Which networks put an item: at most twenty are told apart, more do not make it worth more.
struct PutterSet: Sendable {
  static let capacity = 20

  private var fingerprints = InlineArray<20, UInt32>(repeating: 0)
  private(set) var count = 0

  mutating func insert(_ network: AddressBlock) {
    let fingerprint = network.fingerprint
    guard count < Self.capacity else { return }
    for index in 0..<count where fingerprints[index] == fingerprint { return }
    fingerprints[count] = fingerprint
    count += 1
  }
}
