import CLMDB
import Pkarr

/// Writes that wait for the disk, in the order of their arrival, at most one for each key.
///
/// Each has a position in the queue. A newer packet for a key that waits takes the place of the older one; once a batch
/// with the older one is on its way, it gets a new position. Batches are taken one at a time: one is finished before the
/// next is taken.
struct WriteQueue {
  /// What is to be in the file.
  enum Content {
    case packet(SignedPacket)
    case nothing
  }

  struct Write {
    let key: CacheKey
    var content: Content
    /// Stamp of the last use.
    var stamp: UInt64
    let position: UInt64
    /// When it began to wait (`MonotonicClock`).
    let since: UInt64
    /// True if the file has no packet of this key.
    let isNew: Bool
    /// Where in the file it will be written, if nothing near it is written before.
    let place: PagePlace

    var packet: SignedPacket? { if case .packet(let packet) = content { packet } else { nil } }

    /// Fetches the packet's bytes into this core's cache: they lie in that of the one that offered them.
    @inline(__always)
    func prefetch() {
      guard case .packet(let packet) = content else { return }
      packet.bytes.withUnsafeBytes { prefetch_bytes($0.baseAddress, $0.count) }
    }

    /// By how much the number of packets will change.
    fileprivate var difference: Int {
      switch content {
      case .packet: isNew ? 1 : 0
      case .nothing: isNew ? 0 : -1
      }
    }

    /// Memory that it takes, with its entry in the table.
    fileprivate var bytes: Int { (packet?.bytes.count ?? 0) + 160 }
  }

  /// By position: that of the first is `first`. Those up to ``donePosition`` are over and hold no packet any more.
  private var writes: [Write] = []
  private var first: UInt64 = 1
  /// Where the write of a key is.
  private var positions = KeyTable()
  /// The position that was given last, the one up to which batches were taken, and the one up to which all is done.
  private(set) var lastPosition: UInt64 = 0
  private var takenPosition: UInt64 = 0
  private(set) var donePosition: UInt64 = 0
  /// How many packets more (or fewer) there will be once all is written.
  private(set) var difference = 0
  /// Memory that it takes.
  private(set) var bytes = 0

  /// Writes that wait or are under way.
  var count: Int { positions.count }
  var isEmpty: Bool { positions.count == 0 }
  /// Writes that no batch has taken yet.
  var waiting: Int { Int(lastPosition - takenPosition) }
  /// When the first that waits began to.
  var oldest: UInt64? { waiting > 0 ? writes[index(takenPosition + 1)].since : nil }

  private func index(_ position: UInt64) -> Int { Int(position - first) }

  @inline(__always)
  func write(for key: CacheKey) -> Write? { positions[key].map { writes[index($0)] } }

  /// Queues a write and returns its position.
  ///
  /// - Parameter isNew: the file has no packet of this key; ignored if a write for it waits, which knows.
  @discardableResult
  mutating func put(
    _ content: Content, for key: CacheKey, stamp: UInt64, isNew: Bool, near place: PagePlace = PagePlace(nil),
    now: UInt64
  ) -> UInt64 {
    let next = lastPosition + 1
    // Most keys do not wait yet: a single look at the table, which is taken back for the others.
    guard let position = positions.updateValue(next, forKey: key) else {
      append(Write(key: key, content: content, stamp: stamp, position: next, since: now, isNew: isNew, place: place))
      return next
    }
    let old = writes[index(position)]
    difference -= old.difference
    bytes -= old.bytes
    if position <= takenPosition {
      // What is under way will be in the file by then.
      let isNew = old.packet == nil
      append(Write(key: key, content: content, stamp: stamp, position: next, since: now, isNew: isNew, place: place))
      return next
    }
    positions[key] = position
    writes[index(position)].content = content
    writes[index(position)].stamp = stamp
    count(writes[index(position)])
    return position
  }

  private mutating func append(_ write: Write) {
    lastPosition = write.position
    writes.append(write)
    count(write)
  }

  private mutating func count(_ write: Write) {
    difference += write.difference
    bytes += write.bytes
  }

  /// Notes a later use of a packet that waits; false if a batch with it is under way already.
  mutating func use(_ key: CacheKey, stamp: UInt64) -> Bool {
    guard let position = positions[key], position > takenPosition else { return false }
    writes[index(position)].stamp = stamp
    return true
  }

  /// Takes the writes that came first.
  mutating func takeBatch(atMost limit: Int) -> [Write] {
    let start = index(takenPosition + 1)
    let batch = writes[start..<min(writes.count, start + limit)]
    takenPosition += UInt64(batch.count)
    return Array(batch)
  }

  /// Ends a batch, whatever became of it. What a newer write has replaced goes on waiting.
  mutating func finish(_ batch: [Write]) {
    // By index, since a copy of an element counts its packet up and down, and both threads want that counter.
    for item in batch.indices {
      let position = batch[item].position
      writes[index(position)].content = .nothing
      // A newer write for the key has been counted in its place.
      guard positions.remove(batch[item].key, ifNumber: position) else { continue }
      difference -= batch[item].difference
      bytes -= batch[item].bytes
    }
    guard !batch.isEmpty else { return }
    donePosition = batch[batch.count - 1].position
    // What is over is moved away once it is most of the array, so that a write is moved once on average.
    let over = index(donePosition) + 1
    if over * 2 >= writes.count {
      writes.removeFirst(over)
      first += UInt64(over)
    }
  }
}

/// What the writer takes at a time.
struct WriteBatch {
  var items: [WriteQueue.Write] = []
  /// Packets that were read, and when.
  var uses: [PendingUses.Use] = []
  /// Packets that were found damaged.
  var damaged: [CacheKey] = []
  /// True if there are more packets in the file than its capacity, which was lowered.
  var hasSurplus = false

  var isEmpty: Bool { items.isEmpty && uses.isEmpty && damaged.isEmpty && !hasSurplus }

  /// What a transaction holds at most, of each kind.
  static let limit = 256
  /// What a transaction without writes holds at most: little work, for which those who read on the same processor wait.
  static let limitOfUsesAlone = 4
}
