import CLMDB
import Pkarr

/// One transaction that writes, and what it does to the two tables. Ends with `commit` or, when it is dropped, without
/// effect.
struct WriteTransaction: ~Copyable {
  private let transaction: OpaquePointer
  private let environment: Environment
  /// Pages of both tables.
  let treePages: Int
  private let packetCursor: OpaquePointer
  private let useCursor: OpaquePointer
  private var isOver = false
  /// Packets in the file with what was done here.
  private(set) var count: Int
  private(set) var evictions = 0
  /// The largest stamp in the index, which grows at its end; nil before it is needed.
  private var lastStamp: UInt64?

  private init(
    _ environment: Environment, _ transaction: OpaquePointer, _ packets: OpaquePointer, _ uses: OpaquePointer,
    count: Int,
    treePages: Int
  ) {
    self.environment = environment
    self.transaction = transaction
    packetCursor = packets
    useCursor = uses
    self.count = count
    self.treePages = treePages
  }

  /// Begins to write; there must be no other transaction that does.
  static func begin(_ environment: Environment) throws(StoreError) -> WriteTransaction {
    guard environment.isUsable else { throw .closed }
    var transaction: OpaquePointer?
    try check(mdb_txn_begin(environment.handle, nil, 0, &transaction), "begin to write")
    var cursors: (packets: OpaquePointer?, uses: OpaquePointer?)
    var packets = MDB_stat()
    var uses = MDB_stat()
    do throws(StoreError) {
      try check(mdb_cursor_open(transaction, environment.packets, &cursors.packets), "begin to write")
      try check(mdb_cursor_open(transaction, environment.uses, &cursors.uses), "begin to write")
      try check(mdb_stat(transaction, environment.packets, &packets), "begin to write")
      try check(mdb_stat(transaction, environment.uses, &uses), "begin to write")
    } catch {
      // Cursors of a transaction that writes end with it.
      mdb_txn_abort(transaction)
      throw error
    }
    return WriteTransaction(
      environment, transaction!, cursors.packets!, cursors.uses!, count: packets.ms_entries,
      treePages: packets.ms_branch_pages + packets.ms_leaf_pages + uses.ms_branch_pages + uses.ms_leaf_pages)
  }

  deinit { if !isOver { mdb_txn_abort(transaction) } }

  /// Makes everything visible to readers, and safe against the death of the process.
  mutating func commit() throws(StoreError) {
    // Freed whether it succeeds or not.
    isOver = true
    try check(mdb_txn_commit(transaction), "commit")
  }

  private func findLastStamp() throws(StoreError) -> UInt64 {
    guard let entry = try entry(useCursor, MDB_LAST), entry.key.count == 8 else { return 0 }
    return UInt64(bigEndian: entry.key.loadUnaligned(as: UInt64.self))
  }

  // MARK: - Changes

  /// Puts or replaces a packet; if it is new and the file is full, what was not used for longest makes room.
  ///
  /// - Parameters:
  ///   - isNew: the file was found to have no packet of this key, so it is not looked for again.
  ///   - slack: a packet whose last use is no more than so many stamps ago keeps its place in the index.
  mutating func put(
    _ packet: SignedPacket, for key: CacheKey, stamp: UInt64, isNew: Bool, capacity: Int, slack: UInt64
  ) throws(StoreError) {
    let bytes = KeyBytes(key)
    if isNew {
      try makeRoom(capacity)
      if try insert(packet, key, bytes, stamp, MDB_NOOVERWRITE) {
        count += 1
        return try addUse(stamp, bytes)
      }
    }
    if let oldStamp = try find(bytes)?.stamp {
      if stamp > oldStamp, stamp - oldStamp <= slack {
        _ = try insert(packet, key, bytes, oldStamp, 0)
        return
      }
      try removeUse(oldStamp)
    } else {
      try makeRoom(capacity)
      count += 1
    }
    _ = try insert(packet, key, bytes, stamp, 0)
    try addUse(stamp, bytes)
  }

  /// Drops packets until there is room for a new one.
  private mutating func makeRoom(_ capacity: Int) throws(StoreError) {
    // More than one only after the capacity was lowered, and then step by step.
    if count >= capacity { try evict(min(count - capacity + 1, 4)) }
  }

  /// Writes a packet; false if there is one that must not be overwritten.
  private func insert(
    _ packet: SignedPacket, _ key: CacheKey, _ bytes: KeyBytes, _ stamp: UInt64, _ flags: Int32
  ) throws(StoreError) -> Bool {
    var value = MDB_val(mv_size: StoredPacket.length(of: packet), mv_data: nil)
    let code = bytes.withBytes { bytes in
      var key = MDB_val(bytes)
      return mdb_cursor_put(packetCursor, &key, &value, UInt32(MDB_RESERVE | flags))
    }
    if code == MDB_KEYEXIST { return false }
    try check(code, "write a packet")
    let target = UnsafeMutableRawBufferPointer(start: value.mv_data, count: value.mv_size)
    StoredPacket.write(packet, key: key, stamp: stamp, to: target)
    return true
  }

  /// Removes a packet, if it is there.
  mutating func remove(_ key: CacheKey) throws(StoreError) {
    guard let old = try find(KeyBytes(key)) else { return }
    try removeUse(old.stamp)
    try removeCurrentPacket()
  }

  /// Removes a packet that does not have the bytes that were written.
  mutating func removeIfDamaged(_ key: CacheKey) throws(StoreError) -> Bool {
    guard let old = try find(KeyBytes(key)) else { return false }
    if old.packet(of: key) != nil { return false }
    try removeUse(old.stamp)
    try removeCurrentPacket()
    return true
  }

  /// Moves a packet within the index, unless it was moved further meanwhile.
  mutating func use(_ key: CacheKey, stamp: UInt64) throws(StoreError) {
    let bytes = KeyBytes(key)
    guard let old = try find(bytes), old.stamp < stamp else { return }
    try removeUse(old.stamp)
    // The value lies in the file, where it may be moved before it is written.
    try withUnsafeTemporaryValue(old.value) { copy throws(StoreError) in
      copy.storeBytes(of: stamp.bigEndian, as: UInt64.self)
      var value = MDB_val(UnsafeRawBufferPointer(copy))
      try bytes.withBytes { bytes throws(StoreError) in
        var key = MDB_val(bytes)
        try check(mdb_cursor_put(packetCursor, &key, &value, UInt32(MDB_CURRENT)), "write a packet")
      }
    }
    try addUse(stamp, bytes)
  }

  /// Drops packets that were not used for longest.
  mutating func evict(_ number: Int) throws(StoreError) {
    for _ in 0..<number {
      guard let oldest = try entry(useCursor, MDB_FIRST), oldest.value.count == KeyBytes.count else { return }
      let key = KeyBytes(oldest.value)
      try check(mdb_cursor_del(useCursor, 0), "drop a packet")
      if try find(key) != nil {
        try removeCurrentPacket()
        evictions += 1
      }
    }
  }

  // MARK: - Entries

  /// Finds a packet, at which the packets' cursor then stands.
  private func find(_ key: KeyBytes) throws(StoreError) -> StoredPacket? {
    try key.withBytes { bytes throws(StoreError) -> StoredPacket? in
      var key = MDB_val(bytes)
      var value = MDB_val()
      let code = mdb_cursor_get(packetCursor, &key, &value, MDB_SET)
      if code == MDB_NOTFOUND { return nil }
      try check(code, "read a packet")
      return StoredPacket(UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
    }
  }

  private mutating func removeCurrentPacket() throws(StoreError) {
    try check(mdb_cursor_del(packetCursor, 0), "drop a packet")
    count -= 1
  }

  private func entry(
    _ cursor: OpaquePointer, _ operation: MDB_cursor_op
  ) throws(StoreError) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
    var key = MDB_val()
    var value = MDB_val()
    let code = mdb_cursor_get(cursor, &key, &value, operation)
    if code == MDB_NOTFOUND { return nil }
    try check(code, "read the index")
    return (
      UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size),
      UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
    )
  }

  private func removeUse(_ stamp: UInt64) throws(StoreError) {
    let code = withUnsafeBytes(of: stamp.bigEndian) { bytes in
      var key = MDB_val(bytes)
      return mdb_del(transaction, environment.uses, &key, nil)
    }
    if code != MDB_NOTFOUND { try check(code, "write the index") }
  }

  private mutating func addUse(_ stamp: UInt64, _ key: KeyBytes) throws(StoreError) {
    // At its end the index fills its pages; elsewhere they are split in halves.
    let last = if let lastStamp { lastStamp } else { try findLastStamp() }
    let isLast = stamp > last
    let code = key.withBytes { bytes in
      withUnsafeBytes(of: stamp.bigEndian) { stamp in
        var key = MDB_val(stamp)
        var value = MDB_val(bytes)
        return mdb_cursor_put(useCursor, &key, &value, UInt32(isLast ? MDB_APPEND : 0))
      }
    }
    try check(code, "write the index")
    lastStamp = max(last, stamp)
  }
}

/// Copies a value to where it may be changed.
private func withUnsafeTemporaryValue(
  _ value: UnsafeRawBufferPointer, _ body: (UnsafeMutableRawBufferPointer) throws(StoreError) -> Void
) throws(StoreError) {
  let outcome = withUnsafeTemporaryAllocation(byteCount: value.count, alignment: 8) { copy in
    copy.copyMemory(from: value)
    return Result { () throws(StoreError) in try body(copy) }
  }
  try outcome.get()
}
