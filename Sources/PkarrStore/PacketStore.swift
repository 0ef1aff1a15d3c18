import EventLoops
import Glibc
import Pkarr

/// Packets on disk, in LMDB: they survive the process, and the least recently used ones make room.
///
///     let store = try PacketStore(directory: "/var/lib/pubky/pkarr-cache", capacity: 1_000_000)
///     let update = try await store.store(packet)   // safe against kill -9 when this returns
///     let packet = store.packet(for: key.target)
///     store.close()
///
/// **Writing.** One thread writes what all the others offer, in batches: what comes while one is under way is the next
/// one. A batch that nobody waits for is gathered for up to 10 ms, or until 256 packets are there. Until it is in the
/// file a packet is read from the queue, so each read sees each earlier offer.
///
/// **What survives what.** A write that ``store(_:)`` or ``flush()`` has waited for survives the death of the process. It
/// survives the death of the system if the store was closed, or quiet for a few seconds (``Configuration/quietTime``);
/// otherwise nothing can be relied on after it, and the store begins anew, empty: everything in it can be had again from
/// the network. ``openedFresh`` tells.
///
/// **When the disk is too slow.** ``store(_:)`` waits for room in the queue. ``offer(_:)`` never waits: beyond
/// ``Configuration/queueLimit`` waiting writes it forgets that a packet was seen again, beyond four times as many it
/// forgets packets of new keys, as if they had been evicted at once.
///
/// **When the disk is full.** Old packets make room, however many the capacity would allow. If that does not help,
/// ``store(_:)`` and ``flush()`` throw `StoreError.diskFull`; reads go on.
public final class PacketStore: PacketCache {
  /// How many packets are kept at most.
  public let capacity: Int
  /// Where the files are.
  public let directory: String
  /// Why nothing of an earlier time is in the store; nil if it goes on with what it held.
  public let openedFresh: FreshStart?
  private let engine: StoreEngine
  private let writer: LockedValue<pthread_t?>

  /// Opens the store of a directory, which is made if need be.
  ///
  /// The files are `packets.mdb`, `packets.mdb-lock` and `packets.state`. Caches of other implementations (`data.mdb`,
  /// `lock.mdb`) may be in the same directory; they are neither read nor touched. The directory must be on a local disk.
  ///
  /// All of the file is looked at before it is used, so that damage ends in an empty store and not in a crash; for a
  /// million packets that takes about a second, or as long as the disk takes to read 2 GB.
  ///
  /// - Parameter capacity: How many packets are kept at most; a negative number is 0. It may differ from the last time:
  ///   what is too much is dropped, the least recently used first.
  /// - Throws: `StoreError.inUse` if it is open already, here or in another process; `.diskFull`, `.system` or `.database`
  ///   if the files cannot be made or opened.
  public convenience init(
    directory: String, capacity: Int, configuration: Configuration = Configuration()
  ) throws(StoreError) {
    try self.init(
      directory: directory, capacity: capacity, configuration: configuration,
      bootIdentifierPath: "/proc/sys/kernel/random/boot_id")
  }

  init(
    directory path: String, capacity: Int, configuration: Configuration, bootIdentifierPath: String
  ) throws(StoreError) {
    let capacity = max(0, capacity)
    let opening = try StoreOpening(
      Directory(path: path), capacity: capacity, configuration: configuration, bootIdentifierPath: bootIdentifierPath)
    self.capacity = capacity
    directory = path
    openedFresh = opening.fresh
    let engine = StoreEngine(
      opening.environment, capacity: capacity, configuration: configuration, lastStamp: opening.summary.lastStamp,
      count: opening.summary.count)
    self.engine = engine
    let stateFile = opening.stateFile
    do throws(SystemError) {
      writer = LockedValue(
        try NativeThread.start(name: "packet-store", isDetached: false, priority: ThreadPriority(.gathering)) {
          engine.runWriter(stateFile)
        })
    } catch {
      opening.environment.close()
      throw .system(error)
    }
  }

  deinit { close() }

  /// Writes what is queued, brings everything to the disk and closes the files. Waits for all of it; nothing happens when
  /// it is called again. Afterwards reads find nothing, and writes fail with `StoreError.closed`.
  public func close() {
    engine.beginClosing()
    writer.withLock { writer in
      if let thread = writer { pthread_join(thread, nil) }
      writer = nil
    }
  }

  // MARK: - Packets

  /// How many packets there are now.
  public var count: Int { engine.state.withLock { engine.count($0) } }

  /// The packet of a key, which thereby counts as used. Waits for the disk if the packet is not in memory.
  public func packet(for key: CacheKey) -> SignedPacket? { engine.packet(for: key, isUse: true) }

  /// The packet of a key, which does not count as used.
  public func peek(_ key: CacheKey) -> SignedPacket? { engine.packet(for: key, isUse: false) }

  /// Lends the cached form of the packet of a key (`lastSeen`, 8 bytes big-endian, then the canonical form), which thereby
  /// counts as used.
  ///
  /// Nothing is copied or decoded: for those who pass bytes on. They are those that were written; the time is not
  /// corrected as `SignedPacket.init(cachedForm:)` does.
  ///
  /// - Parameter body: Must not call the store, which may wait for the end of this call.
  /// - Returns: What `body` returned; nil if there is no packet.
  public func withCachedForm<Result>(for key: CacheKey, _ body: (RawSpan) -> Result) -> Result? {
    engine.withCachedForm(for: key, body)
  }

  /// Takes a packet if it is news. Queues it and does not wait for the disk.
  @discardableResult
  public func offer(_ packet: SignedPacket) -> CacheUpdate { engine.offer(packet) }

  /// Waits until everything offered before is safe against the death of the process.
  ///
  /// - Throws: ``StoreError`` if something offered since the last call could not be written.
  public func flush() async throws(StoreError) { try await engine.flush() }

  /// Offers a packet, after waiting for room in the queue, and waits until it is safe against the death of the process.
  ///
  /// If the cache has the same or a newer packet, waits until that is safe.
  ///
  /// - Throws: ``StoreError`` if it could not be written.
  public func store(_ packet: SignedPacket) async throws(StoreError) -> CacheUpdate { try await engine.store(packet) }

  /// Forgets the packet of a key.
  public func remove(_ key: CacheKey) { engine.remove(key) }

  /// Figures for operators.
  public var statistics: CacheStatistics { engine.statistics }
}

extension PacketStore {
  /// What can be set, besides the capacity.
  public struct Configuration: Sendable {
    /// Bytes that the file may take; by default what the capacity needs at worst: 4.2 kB a packet, and 32 MiB. Where that
    /// is too little for the capacity, packets are dropped earlier.
    public var sizeLimit: Int?
    /// Bytes of mapped files in this process above which the store's pages are let go; nil for no limit. They stay in the
    /// system's cache. 512 MiB by default.
    public var mappedMemoryLimit: Int? = 512 << 20
    /// Writes that may wait before ``PacketStore/store(_:)`` waits too. 4096 by default, about 5 MB.
    public var queueLimit = 4096
    /// Time without writes after which everything is brought to the disk. 5 seconds by default.
    ///
    /// While writes go on nothing is forced to the disk: after a loss of power in that time the store begins anew in any
    /// case.
    public var quietTime = Duration.seconds(5)
    /// How many others may be used before a read of a packet counts as a new use: so a packet that is read all the time is
    /// not written all the time. A quarter of the capacity by default: then no packet is given up that was used within the last
    /// three quarters. 0 for an exact order.
    public var recencySlack: Int?

    /// The defaults.
    public init() {}
  }
}
