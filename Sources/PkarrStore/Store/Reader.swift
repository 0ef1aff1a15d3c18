import CLMDB

/// A transaction that reads packets, kept between reads: renewing one costs a tenth of a microsecond.
struct Reader: @unchecked Sendable {
  private let transaction: OpaquePointer
  private let packets: OpaquePointer

  /// Begins a transaction, which sees what is committed now.
  init(_ environment: Environment) throws(StoreError) {
    var transaction: OpaquePointer?
    try check(mdb_txn_begin(environment.handle, nil, UInt32(MDB_RDONLY), &transaction), "read")
    var cursor: OpaquePointer?
    do throws(StoreError) {
      try check(mdb_cursor_open(transaction, environment.packets, &cursor), "read")
    } catch {
      mdb_txn_abort(transaction)
      throw error
    }
    self.transaction = transaction!
    packets = cursor!
  }

  /// Sees what is committed now, after ``rest()``.
  func renew() throws(StoreError) {
    try check(mdb_txn_renew(transaction), "read")
    try check(mdb_cursor_renew(transaction, packets), "read")
  }

  /// Lets go of what it saw.
  func rest() { mdb_txn_reset(transaction) }

  func end() {
    mdb_cursor_close(packets)
    mdb_txn_abort(transaction)
  }

  /// The value of a packet's key, valid until ``rest()``; nil if there is none.
  @inline(__always)
  func value(of key: KeyBytes) throws(StoreError) -> UnsafeRawBufferPointer? {
    try key.withBytes { bytes throws(StoreError) in
      var key = MDB_val(bytes)
      var value = MDB_val()
      let code = mdb_cursor_get(packets, &key, &value, MDB_SET)
      if code == MDB_NOTFOUND { return nil }
      try check(code, "read")
      return UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
    }
  }

  /// Where the page is on which the key that was looked for last would be; nil if that is not known.
  var placeOfMissing: UnsafeRawPointer? {
    // The neighbour behind it, unless it would be the last on its page.
    var key = MDB_val()
    guard mdb_cursor_get(packets, &key, nil, MDB_GET_CURRENT) == 0 else { return nil }
    return UnsafeRawPointer(key.mv_data)
  }
}

extension Reader {
  /// Pages that the next transaction can use of those that others have freed, counted no further than `limit`.
  ///
  /// Call it between ``renew()`` and ``rest()``.
  func freedPages(atMost limit: Int) -> Int {
    // Table 0 is LMDB's own, and closed to those who write: number of a transaction, and a list of the pages that it
    // freed, with their count in front.
    var cursor: OpaquePointer?
    guard mdb_cursor_open(transaction, 0, &cursor) == 0 else { return 0 }
    defer { mdb_cursor_close(cursor) }
    let last = mdb_txn_id(transaction)
    var freed = 0
    var key = MDB_val()
    var value = MDB_val()
    while freed < limit, mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0, key.mv_size == 8, value.mv_size >= 8,
      // What the last transaction has freed is still seen by those who began to read before it.
      key.mv_data.loadUnaligned(as: Int.self) < last
    {
      freed += max(0, value.mv_data.loadUnaligned(as: Int.self))
    }
    return min(freed, limit)
  }
}

extension MDB_val {
  @inline(__always)
  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
  }
}
