import Pkarr

/// Writes that wait for the disk, in the order of their arrival, at most one for each key.
///
/// Each has a position in the queue. A newer packet for a key that waits takes the place of the older one; once a batch
/// with the older one is on its way, it gets a new position.
struct WriteQueue {
  /// What is to be in the file.
  enum Content {
    case packet(SignedPacket)
    case nothing
  }

  struct Write {
    var content: Content
    /// Stamp of the last use.
    var stamp: UInt64
    var position: UInt64
    /// When it began to wait (`MonotonicClock`).
    var since: UInt64
    /// True if a batch that holds it is on its way.
    var isUnderWay = false
    /// True if the file has no packet of this key.
    var isNew: Bool

    var packet: SignedPacket? { if case .packet(let packet) = content { packet } else { nil } }

    /// By how much the number of packets will change.
    fileprivate var difference: Int {
      switch content {
      case .packet: isNew ? 1 : 0
      case .nothing: isNew ? 0 : -1
      }
    }

    /// Memory that it takes, with its entry in the dictionary and in the order.
    fileprivate var bytes: Int { (packet?.bytes.count ?? 0) + 160 }
  }

  private var writes: [CacheKey: Write] = [:]
  /// Keys that no batch has taken yet; those before `head` are gone.
  private var order: [CacheKey] = []
  private var head = 0
  /// The position that was given last, and the one up to which all is done.
  private(set) var lastPosition: UInt64 = 0
  private(set) var donePosition: UInt64 = 0
  /// How many packets more (or fewer) there will be once all is written.
  private(set) var difference = 0
  /// Memory that it takes.
  private(set) var bytes = 0

  /// Writes that wait or are under way.
  var count: Int { writes.count }
  var isEmpty: Bool { writes.isEmpty }
  /// True if there is something to take.
  var hasBatch: Bool { head < order.count }
  /// When the first that waits began to.
  var oldest: UInt64? { hasBatch ? writes[order[head]]?.since : nil }

  @inline(__always)
  func write(for key: CacheKey) -> Write? { writes[key] }

  /// Queues a write and returns its position.
  ///
  /// - Parameter isNew: the file has no packet of this key; ignored if a write for it waits, which knows.
  @discardableResult
  mutating func put(_ content: Content, for key: CacheKey, stamp: UInt64, isNew: Bool, now: UInt64) -> UInt64 {
    guard let old = writes[key] else {
      lastPosition += 1
      let write = Write(content: content, stamp: stamp, position: lastPosition, since: now, isNew: isNew)
      order.append(key)
      add(write, key)
      return lastPosition
    }
    var write = old
    write.content = content
    write.stamp = stamp
    if old.isUnderWay {
      lastPosition += 1
      order.append(key)
      write.position = lastPosition
      write.since = now
      write.isUnderWay = false
      if case .packet = old.content { write.isNew = false } else { write.isNew = true }
    }
    difference -= old.difference
    bytes -= old.bytes
    add(write, key)
    return write.position
  }

  private mutating func add(_ write: Write, _ key: CacheKey) {
    difference += write.difference
    bytes += write.bytes
    writes[key] = write
  }

  /// Notes a later use of a packet that waits; false if a batch with it is under way already.
  mutating func use(_ key: CacheKey, stamp: UInt64) -> Bool {
    guard let write = writes[key], !write.isUnderWay else { return false }
    writes[key]?.stamp = stamp
    return true
  }

  /// Takes the writes that came first.
  mutating func takeBatch(atMost limit: Int) -> [WriteBatch.Item] {
    let keys = order[head..<min(order.count, head + limit)]
    var items: [WriteBatch.Item] = []
    items.reserveCapacity(keys.count)
    for key in keys {
      guard let write = writes[key] else { continue }
      writes[key]?.isUnderWay = true
      items.append(.init(key: key, content: write.content, stamp: write.stamp, position: write.position))
    }
    head += keys.count
    // What is gone is moved away once it is most of the array, so that a key is moved once on average.
    if head * 2 >= order.count {
      order.removeFirst(head)
      head = 0
    }
    return items
  }

  /// Ends a batch, whatever became of it. What a newer write has replaced goes on waiting.
  mutating func finish(_ items: [WriteBatch.Item]) {
    for item in items {
      guard let write = writes[item.key], write.isUnderWay else { continue }
      writes.removeValue(forKey: item.key)
      difference -= write.difference
      bytes -= write.bytes
    }
    if let last = items.last { donePosition = last.position }
  }
}

/// What the writer takes at a time.
struct WriteBatch {
  struct Item {
    let key: CacheKey
    let content: WriteQueue.Content
    let stamp: UInt64
    let position: UInt64
  }

  var items: [Item] = []
  /// Packets that were read, and when.
  var uses: [(key: CacheKey, stamp: UInt64)] = []
  /// Packets that were found damaged.
  var damaged: [CacheKey] = []
  /// True if there are more packets in the file than its capacity, which was lowered.
  var hasSurplus = false

  var isEmpty: Bool { items.isEmpty && uses.isEmpty && damaged.isEmpty && !hasSurplus }

  /// What a transaction holds at most, of each kind.
  static let limit = 256
}
