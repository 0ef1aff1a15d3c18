/// One of the two pages at the beginning of an LMDB file, which tell where everything else is. Each transaction writes
/// one of them, in turns, as the last thing it does.
struct MetaPage {
  let transaction: UInt64
  let lastPage: UInt64
  let freePages: TableRecord
  let tables: TableRecord

  private static let magic: UInt32 = 0xbeef_c0de
  private static let version: UInt32 = 1
  /// Bytes behind the page's header.
  private static let length = 136
  /// MDB_INTEGERKEY, and what else the low bits of an environment's flags may be: MDB_NOSUBDIR.
  private static let freePageFlags: Set<UInt16> = [0x0008, 0x4008]

  /// The one that counts, once both are found whole.
  ///
  /// - Throws: ``FileDamage``.
  static func newest(_ source: some PageSource, pageSize: Int) throws(FileDamage) -> MetaPage {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pageSize, alignment: 8)
    defer { buffer.deallocate() }
    var pages: [MetaPage] = []
    for number in 0..<2 as Range<UInt64> {
      guard source.read(number, into: buffer) else { throw FileDamage("it is shorter than two pages") }
      pages.append(try MetaPage(PageView(bytes: UnsafeRawBufferPointer(buffer)), number, pageSize))
    }
    let newest = pages[0].transaction < pages[1].transaction ? 1 : 0
    let page = pages[newest]
    // LMDB finds the page of a transaction by its last bit.
    guard page.transaction & 1 == newest, page.transaction < 1 << 62 else {
      throw FileDamage("transaction \(page.transaction) is in the wrong place")
    }
    guard page.lastPage >= 1, page.lastPage < source.length / pageSize else {
      throw FileDamage("it should have \(page.lastPage) pages and has \(source.length / pageSize)")
    }
    guard freePageFlags.contains(page.freePages.flags), page.tables.flags == 0 else {
      throw FileDamage("tables of another kind")
    }
    return page
  }

  /// True if one of the two looks like a meta page of LMDB, be it damaged or of another version.
  static func isLMDB(_ source: some PageSource, pageSize: Int) -> Bool {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pageSize, alignment: 8)
    defer { buffer.deallocate() }
    return (0..<2 as Range<UInt64>).contains { number in
      guard source.read(number, into: buffer) else { return false }
      return PageView(bytes: UnsafeRawBufferPointer(buffer)).load(PageView.headerLength) == magic
    }
  }

  private init(_ page: PageView, _ number: UInt64, _ pageSize: Int) throws(FileDamage) {
    let start = PageView.headerLength
    guard page.load(start) == Self.magic else { throw FileDamage("it is no LMDB file") }
    guard page.load(start + 4) == Self.version else { throw FileDamage("it is of another version of LMDB") }
    guard page.kind == .meta, page.number == number else { throw FileDamage("meta page \(number) is damaged") }
    let records = start + 24
    freePages = TableRecord(UnsafeRawBufferPointer(rebasing: page.bytes[records..<records + TableRecord.length]))
    tables = TableRecord(
      UnsafeRawBufferPointer(rebasing: page.bytes[records + TableRecord.length..<records + 2 * TableRecord.length]))
    guard freePages.pad == pageSize else {
      throw FileDamage("its pages have \(freePages.pad) bytes, those of this system \(pageSize)")
    }
    lastPage = page.load(start + 120)
    transaction = page.load(start + 128)
  }
}

/// What LMDB keeps about a table (`MDB_db`, 48 bytes).
struct TableRecord {
  static let length = 48
  /// The root of an empty table.
  static let noPage = UInt64.max

  let pad: UInt32
  let flags: UInt16
  let depth: Int
  let entries: UInt64
  let root: UInt64

  init(_ bytes: UnsafeRawBufferPointer) {
    let view = PageView(bytes: bytes)
    pad = view.load(0)
    flags = view.load(4)
    depth = Int(view.load(6) as UInt16)
    entries = view.load(32)
    root = view.load(40)
  }
}
