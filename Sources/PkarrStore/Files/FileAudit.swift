/// Looks at every page of an LMDB file before LMDB does.
///
/// LMDB believes what it reads: a flipped bit in a page of its trees makes it read or write beyond the page, run in
/// circles, or abort. A file that passes here gives it no reason to: both meta pages are whole, the trees are trees (each
/// page in one place, all leaves at the same depth, all nodes within their page and side by side, keys of the sizes that
/// we write, in order), the free pages are free, and the two tables say the same. Whether the packets themselves are
/// intact is found when they are read (``StoredPacket``).
///
/// The walk holds one page of each level; it takes about a second for a million packets that the system has in memory.
enum FileAudit {
  /// What a file that passed holds.
  struct Summary: Equatable {
    /// Bytes up to the last page in use.
    var used = 0
    /// Packets.
    var count = 0
    /// The largest stamp; 0 without packets.
    var lastStamp: UInt64 = 0
  }

  /// Checks the whole file.
  ///
  /// - Throws: ``FileDamage`` with the first thing that is wrong.
  static func run(_ source: some PageSource, pageSize: Int) throws(FileDamage) -> Summary {
    let meta = try MetaPage.newest(source, pageSize: pageSize)
    source.announce(Int(meta.lastPage + 1) * pageSize)
    let ledger = PageLedger(end: meta.lastPage + 1)
    try ledger.mark(0, 2)
    var walk = TreeWalk(source, pageSize: pageSize, ledger)
    let tables = try tables(meta.tables, &walk)
    let packets = try tables.map { table throws(FileDamage) in try packetTotals(table.packets, &walk) } ?? TableTotals()
    let uses = try tables.map { table throws(FileDamage) in try useTotals(table.uses, &walk) } ?? TableTotals()
    guard packets == uses else { throw FileDamage("the index does not fit the packets") }
    guard packets.lastStamp < 1 << 62 else { throw FileDamage("a stamp from the end of time") }
    try FreePages(source, pageSize: pageSize, ledger).check(meta, &walk)
    return Summary(used: Int(meta.lastPage + 1) * pageSize, count: packets.count, lastStamp: packets.lastStamp)
  }

  /// Calls `visit` with each packet in the order of the keys, until it returns false. Pages are believed only as far as the
  /// walk has checked them.
  ///
  /// - Throws: ``FileDamage``, maybe after some packets.
  static func visitPackets(
    _ source: some PageSource, pageSize: Int, _ visit: (StoredPacket) -> Bool
  ) throws(FileDamage) {
    let meta = try MetaPage.newest(source, pageSize: pageSize)
    let ledger = PageLedger(end: meta.lastPage + 1)
    try ledger.mark(0, 2)
    var walk = TreeWalk(source, pageSize: pageSize, ledger)
    guard let tables = try tables(meta.tables, &walk) else { return }
    var goesOn = true
    try walk.run(tables.packets, keyLength: KeyBytes.count) { node throws(FileDamage) in
      guard node.flags == 0, let value = StoredPacket(node.data) else { throw FileDamage("a packet of a wrong size") }
      goesOn = goesOn && visit(value)
    }
  }

  /// The two tables that the main one, which has no name, lists; nil before they were made.
  private static func tables(
    _ main: TableRecord, _ walk: inout TreeWalk<some PageSource>
  ) throws(FileDamage) -> (packets: TableRecord, uses: TableRecord)? {
    guard main.root != TableRecord.noPage else { return nil }
    guard main.depth == 1 else { throw FileDamage("too many tables") }
    let page = try walk.loadLeaf(main.root)
    guard page.count == 2 else { throw FileDamage("other tables than ours") }
    return (try table(page, 0, "packets"), try table(page, 1, "uses"))
  }

  private static func table(_ page: PageView, _ index: Int, _ name: String) throws(FileDamage) -> TableRecord {
    guard let node = page.node(index, isLeaf: true), node.flags == PageView.NodeFlags.table,
      node.data.count == TableRecord.length, node.key.elementsEqual(name.utf8)
    else { throw FileDamage("other tables than ours") }
    let record = TableRecord(node.data)
    guard record.flags == 0 else { throw FileDamage("a table of another kind") }
    return record
  }

  private static func packetTotals(
    _ table: TableRecord, _ walk: inout TreeWalk<some PageSource>
  ) throws(FileDamage) -> TableTotals {
    var totals = TableTotals()
    try walk.run(table, keyLength: KeyBytes.count) { node throws(FileDamage) in
      guard node.flags == 0, let value = StoredPacket(node.data) else { throw FileDamage("a packet of a wrong size") }
      totals.add(stamp: value.stamp, key: KeyBytes(node.key))
    }
    guard totals.count == table.entries else { throw FileDamage("packets are miscounted") }
    return totals
  }

  private static func useTotals(
    _ table: TableRecord, _ walk: inout TreeWalk<some PageSource>
  ) throws(FileDamage) -> TableTotals {
    var totals = TableTotals()
    try walk.run(table, keyLength: 8) { node throws(FileDamage) in
      guard node.flags == 0, node.data.count == KeyBytes.count else { throw FileDamage("a use of a wrong size") }
      totals.add(stamp: UInt64(bigEndian: node.key.loadUnaligned(as: UInt64.self)), key: KeyBytes(node.data))
    }
    guard totals.count == table.entries else { throw FileDamage("uses are miscounted") }
    return totals
  }
}

/// The list of free pages, a tree of its own: transaction number to list of page numbers, the first word of which is
/// their count, the rest falling.
private struct FreePages<Source: PageSource> {
  private let source: Source
  private let pageSize: Int
  private let ledger: PageLedger

  init(_ source: Source, pageSize: Int, _ ledger: PageLedger) {
    self.source = source
    self.pageSize = pageSize
    self.ledger = ledger
  }

  /// Checks that no page is free that is in use, or twice.
  func check(_ meta: MetaPage, _ walk: inout TreeWalk<Source>) throws(FileDamage) {
    try walk.run(meta.freePages, keyLength: 8, isFreeList: true) { node throws(FileDamage) in
      let transaction = UInt64(littleEndian: node.key.loadUnaligned(as: UInt64.self))
      guard transaction <= meta.transaction else { throw FileDamage("free pages of a transaction that never was") }
      switch node.flags {
      case 0: try take(node.data)
      case PageView.NodeFlags.overflow:
        try takeOverflow(UInt64(littleEndian: node.data.loadUnaligned(as: UInt64.self)), length: node.dataLength)
      default: throw FileDamage("a list of free pages of another kind")
      }
    }
  }

  private func take(_ list: UnsafeRawBufferPointer) throws(FileDamage) {
    guard list.count >= 8, list.count % 8 == 0 else { throw FileDamage("a list of free pages is cut short") }
    let count = UInt64(littleEndian: list.loadUnaligned(as: UInt64.self))
    guard count <= list.count / 8 - 1 else { throw FileDamage("a list of free pages is cut short") }
    var last = UInt64.max
    for index in 1..<Int(count) + 1 {
      let page = UInt64(littleEndian: list.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
      guard page < last else { throw FileDamage("free pages are out of order") }
      last = page
      try ledger.mark(page, 1)
    }
  }

  private func takeOverflow(_ first: UInt64, length: Int) throws(FileDamage) {
    let needed = (PageView.headerLength + length + pageSize - 1) / pageSize
    guard first < ledger.end, UInt64(needed) <= ledger.end - first else {
      throw FileDamage("a list of free pages lies beyond the end")
    }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: needed * pageSize, alignment: 8)
    defer { bytes.deallocate() }
    for index in 0..<needed {
      let target = UnsafeMutableRawBufferPointer(rebasing: bytes[index * pageSize..<(index + 1) * pageSize])
      guard source.read(first + UInt64(index), into: target) else {
        throw FileDamage("a list of free pages lies beyond the end")
      }
    }
    // LMDB lets a list lie on more pages than it needs.
    let view = PageView(bytes: UnsafeRawBufferPointer(bytes))
    guard view.kind == .overflow, view.number == first, view.overflowCount >= needed else {
      throw FileDamage("page \(first) should hold free pages")
    }
    try ledger.mark(first, view.overflowCount)
    try take(UnsafeRawBufferPointer(rebasing: bytes[PageView.headerLength..<PageView.headerLength + length]))
  }
}

/// Which pages are in use or free; each may be one of the two, once.
final class PageLedger {
  /// Number of pages.
  let end: UInt64
  private var seen: [UInt64]

  init(end: UInt64) {
    self.end = end
    seen = Array(repeating: 0, count: Int(end / 64) + 1)
  }

  /// Takes pages that must not have been taken.
  func mark(_ page: UInt64, _ count: Int) throws(FileDamage) {
    guard page < end, UInt64(count) <= end - page else { throw FileDamage("page \(page) lies beyond the end") }
    for page in Int(page)..<Int(page) + count {
      guard seen[page / 64] & 1 << UInt64(page % 64) == 0 else { throw FileDamage("page \(page) is used twice") }
      seen[page / 64] |= 1 << UInt64(page % 64)
    }
  }

  /// Pages that are neither in use nor free.
  var lost: Int { Int(end) - seen.reduce(0) { $0 + $1.nonzeroBitCount } }
}

/// Sums over the entries of a table, the same for the packets and their index.
private struct TableTotals: Equatable {
  var count = 0
  var lastStamp: UInt64 = 0
  private var sum: UInt64 = 0

  @inline(__always)
  mutating func add(stamp: UInt64, key: KeyBytes) {
    count += 1
    lastStamp = max(lastStamp, stamp)
    // Multiplied before they are added, so that two stamps that change places are noticed.
    sum &+= key.withBytes { XXHash64.hash($0, seed: stamp) }
  }
}

/// Why a file is not used.
struct FileDamage: Error, Hashable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Where an audit reads pages.
protocol PageSource {
  /// Bytes of the whole file.
  var length: Int { get }

  /// Says that so many bytes from the beginning will be read.
  func announce(_ count: Int)

  /// Reads one page, as large as `target`; false if there is none.
  func read(_ page: UInt64, into target: UnsafeMutableRawBufferPointer) -> Bool
}
