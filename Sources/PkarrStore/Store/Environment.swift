import CLMDB
import EventLoops
import Glibc

/// An LMDB file with two tables, and its growth.
///
/// | table | key | value |
/// | --- | --- | --- |
/// | `packets` | cache key, 20 bytes | ``StoredPacket`` |
/// | `uses` | stamp of the last use, 8 bytes big-endian | cache key |
///
/// The map is never larger than what the file system has promised to store (`posix_fallocate`), so a full disk is an
/// error code here and not the signal SIGBUS on a write to memory. Where a promise is not kept (btrfs and ZFS copy on
/// write, a disk that fails), nothing can be done.
final class Environment: @unchecked Sendable {
  let handle: OpaquePointer
  let packets: MDB_dbi
  let uses: MDB_dbi
  /// Bytes that the file and the map have now, and may have.
  private(set) var size: Int
  let sizeLimit: Int
  /// False once the file could not be mapped anew: LMDB must not be asked any more.
  private(set) var isUsable = true
  let pageSize: Int
  private let descriptor: Int32
  private let path: String

  /// The size of a new file.
  static let initialSize = 1 << 20
  /// Threads that may read at the same time; beyond, a read finds nothing.
  private static let maximumReaders: UInt32 = 1022

  /// Opens or makes the file. What it holds must have been looked at (``FileAudit``): LMDB believes its pages.
  ///
  /// - Parameter used: bytes of the file that hold something.
  init(_ directory: Directory, sizeLimit: Int, used: Int) throws(StoreError) {
    path = directory.packets
    pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o600)
    guard descriptor >= 0 else { throw .system(SystemError(code: errno, operation: "open \(path)")) }
    var environment: OpaquePointer?
    do throws(StoreError) {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else {
        throw .system(SystemError(code: errno, operation: "open \(path)"))
      }
      self.sizeLimit = max(Self.initialSize, sizeLimit / pageSize * pageSize)
      let length = min(Int(status.st_size) / pageSize * pageSize, self.sizeLimit)
      size = max(Self.initialSize, length, used)
      try check(mdb_env_create(&environment), "make an LMDB environment")
      try check(mdb_env_set_maxdbs(environment, 2), "set up \(path)")
      try check(mdb_env_set_maxreaders(environment, Self.maximumReaders), "set up \(path)")
      try check(mdb_env_set_mapsize(environment, size), "set up \(path)")
      // Nobody else has the store, so whatever readers and locks the file knows are those of the dead.
      unlink(directory.packetsLock)
      let flags = MDB_NOSUBDIR | MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS | MDB_NORDAHEAD
      try check(mdb_env_open(environment, path, UInt32(flags), 0o600), "open \(path)")
      // Before anything is written through the map; LMDB writes a new file's first pages with calls. An old file that was
      // copied may have holes, so it is asked for the same.
      try Self.allocate(descriptor, from: 0, count: size, path)
      try check(mdb_reader_check(environment, nil), "open \(path)")
      (packets, uses) = try Self.openTables(environment, path)
      handle = environment!
    } catch {
      if let environment { mdb_env_close(environment) }
      Glibc.close(descriptor)
      throw error
    }
  }

  /// Ends the environment; no transaction may be left.
  func close() {
    mdb_env_close(handle)
    Glibc.close(descriptor)
  }

  private static func openTables(
    _ environment: OpaquePointer?, _ path: String
  ) throws(StoreError) -> (MDB_dbi, MDB_dbi) {
    var transaction: OpaquePointer?
    try check(mdb_txn_begin(environment, nil, 0, &transaction), "open \(path)")
    var tables: (packets: MDB_dbi, uses: MDB_dbi) = (0, 0)
    do throws(StoreError) {
      try check(mdb_dbi_open(transaction, "packets", UInt32(MDB_CREATE), &tables.packets), "open \(path)")
      try check(mdb_dbi_open(transaction, "uses", UInt32(MDB_CREATE), &tables.uses), "open \(path)")
    } catch {
      mdb_txn_abort(transaction)
      throw error
    }
    try check(mdb_txn_commit(transaction), "open \(path)")
    return tables
  }

  // MARK: - Size

  /// Bytes that a store of so many packets may take at most.
  ///
  /// LMDB puts up to three packets of the largest size on a page of 4096 bytes, and merges no page that holds at least
  /// one, so at worst each packet has a page for itself; random keys fill pages to two thirds, which makes 2.1 kB a
  /// packet of the largest size. An entry of the index takes 38 bytes, twice that after splits. The rest is for pages of
  /// the last transactions, which cannot be used again at once.
  static func sizeLimit(capacity: Int, pageSize: Int) -> Int {
    let (packets, overflow) = capacity.multipliedReportingOverflow(by: pageSize + 80)
    let limit = 1 << 46
    return overflow || packets > limit ? limit : packets + (32 << 20)
  }

  /// Pages at the end of the map that were never used.
  var untouchedPages: Int {
    guard isUsable else { return 0 }
    var info = MDB_envinfo()
    mdb_env_info(handle, &info)
    return size / pageSize - info.me_last_pgno - 1
  }

  /// Pages that the next transaction can use, counted no further than `limit`: those at the end of the map, and those
  /// that others have freed.
  func freePages(atMost limit: Int) -> Int {
    let untouched = max(0, untouchedPages - 1)
    guard untouched < limit, isUsable, let reader = try? Reader(self) else { return min(untouched, limit) }
    defer { reader.end() }
    return untouched + reader.freedPages(atMost: limit - untouched)
  }

  /// Makes room for a larger map, by a quarter but no less than 4 MiB, or by what the disk has.
  ///
  /// - Returns: The new size, for ``remap(to:)``; nil if there is no room, or no more is allowed.
  func allocateMore() -> Int? {
    guard isUsable else { return nil }
    var step = max(size / 4 / pageSize * pageSize, 4 << 20)
    while step >= 64 * pageSize {
      let next = min(size + step, sizeLimit)
      guard next > size else { return nil }
      if (try? Self.allocate(descriptor, from: size, count: next - size, path)) != nil { return next }
      step = step / 2 / pageSize * pageSize
    }
    return nil
  }

  /// Maps the file anew. No transaction may be active, not even one that reads.
  ///
  /// - Throws: ``StoreError``; the environment cannot be used any more then.
  func remap(to size: Int) throws(StoreError) {
    let code = mdb_env_set_mapsize(handle, size)
    isUsable = code == 0
    try check(code, "map \(path)")
    self.size = size
  }

  private static func allocate(
    _ descriptor: Int32, from offset: Int, count: Int, _ path: String
  ) throws(StoreError) {
    var code: Int32 = 0
    repeat { code = posix_fallocate(descriptor, offset, count) } while code == EINTR
    try check(code, "allocate \(path)")
  }

  /// Waits until the disk has everything that was committed.
  func synchronise() throws(StoreError) {
    // The system knows the pages of a shared map as those of the file.
    guard fdatasync(descriptor) == 0 else { throw .system(SystemError(code: errno, operation: "write \(path)")) }
  }

  /// Where the file is mapped (`/proc/self/maps`); nil if that cannot be found out.
  func mapRange() -> Range<UInt>? {
    var status = stat()
    guard isUsable, fstat(descriptor, &status) == 0, let text = SmallFile.text("/proc/self/maps", limit: 1 << 22) else {
      return nil
    }
    // 7f0c8a000000-7f0c8a400000 rw-s 00000000 fe:00 1234567    /var/cache/…
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
      guard words.count == 6, words[1] == "rw-s", words[2] == "00000000", words[4] == "\(status.st_ino)" else {
        continue
      }
      let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      if ends.count == 2, ends[0] < ends[1], Int(ends[1] - ends[0]) == size { return ends[0]..<ends[1] }
    }
    return nil
  }
}
