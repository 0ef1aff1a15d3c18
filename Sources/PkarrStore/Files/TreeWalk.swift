import Glibc

/// Visits the leaves of an LMDB tree in the order of their keys, and checks every page on the way.
struct TreeWalk<Source: PageSource> {
  /// Levels of a tree that is believed: LMDB itself has room for 32, and a branch has a hundred children.
  private static var maximumDepth: Int { 16 }

  private let source: Source
  private let pageSize: Int
  private let ledger: PageLedger
  /// One page for each level.
  private let buffers: [PageBuffer]
  /// For each node that begins at half of the offset: its extent. Zero between pages.
  private var extents: [UInt16]
  /// Bytes of a key; nil for any number.
  private var keyLength: Int?
  private var isFreeList = false
  /// The last key of a leaf, and the key of the branch below which everything must now be at least that.
  private var previous = OrderedKey()
  private var floor = OrderedKey()

  init(_ source: Source, pageSize: Int, _ ledger: PageLedger) {
    self.source = source
    self.ledger = ledger
    self.pageSize = pageSize
    buffers = (0...Self.maximumDepth).map { _ in PageBuffer(pageSize) }
    extents = Array(repeating: 0, count: pageSize / 2)
  }

  /// A leaf that is a whole tree, with keys of any length; valid until the next page is read.
  mutating func loadLeaf(_ number: UInt64) throws(FileDamage) -> PageView {
    keyLength = nil
    try ledger.mark(number, 1)
    return try load(number, kind: .leaf, level: 0)
  }

  /// Calls `visit` with each node of each leaf.
  ///
  /// - Parameter isFreeList: The keys are numbers in the order of this machine, and a branch may have a single child.
  mutating func run(
    _ table: TableRecord, keyLength: Int, isFreeList: Bool = false,
    _ visit: (PageView.Node) throws(FileDamage) -> Void
  ) throws(FileDamage) {
    self.keyLength = keyLength
    self.isFreeList = isFreeList
    previous = OrderedKey()
    floor = OrderedKey()
    guard table.root != TableRecord.noPage else {
      guard table.depth == 0 else { throw FileDamage("an empty tree of depth \(table.depth)") }
      return
    }
    guard 1...Self.maximumDepth ~= table.depth else { throw FileDamage("a tree of depth \(table.depth)") }
    var path: [(page: PageView, next: Int)] = []
    var child: UInt64? = table.root
    while true {
      if let number = child {
        try ledger.mark(number, 1)
        let isLeaf = path.count == table.depth - 1
        let page = try load(number, kind: isLeaf ? .leaf : .branch, level: path.count)
        if isLeaf { try visitLeaf(page, visit) } else { path.append((page, 0)) }
      }
      guard let (page, next) = path.last else { return }
      guard next < page.count else {
        path.removeLast()
        child = nil
        continue
      }
      path[path.count - 1].next += 1
      child = try descend(page, next)
    }
  }

  /// The child of a branch, whose key lies between the leaves before and those after.
  private mutating func descend(_ page: PageView, _ index: Int) throws(FileDamage) -> UInt64 {
    guard let node = page.node(index, isLeaf: false) else {
      throw FileDamage("page \(page.number): a node is cut short")
    }
    // What the first key of a branch would say is said above.
    if index > 0 {
      let key = OrderedKey(node.key, isNumber: isFreeList)
      guard previous < key else { throw FileDamage("page \(page.number): keys out of order") }
      floor = key
    }
    return node.child
  }

  private mutating func visitLeaf(
    _ page: PageView, _ visit: (PageView.Node) throws(FileDamage) -> Void
  ) throws(FileDamage) {
    for index in 0..<page.count {
      guard let node = page.node(index, isLeaf: true) else {
        throw FileDamage("page \(page.number): a node is cut short")
      }
      let key = OrderedKey(node.key, isNumber: isFreeList)
      guard previous < key, !(key < floor) else { throw FileDamage("page \(page.number): keys out of order") }
      previous = key
      try visit(node)
    }
  }

  /// Reads a page and checks that its nodes lie side by side from `upper` to its end.
  private mutating func load(_ number: UInt64, kind: PageView.Kind, level: Int) throws(FileDamage) -> PageView {
    let buffer = buffers[level].bytes
    guard source.read(number, into: buffer) else { throw FileDamage("page \(number) lies beyond the end") }
    let page = PageView(bytes: UnsafeRawBufferPointer(buffer))
    guard page.number == number, page.kind == kind, page.hasPlausibleBounds else {
      throw FileDamage("page \(number) is damaged")
    }
    let isLeaf = kind == .leaf
    guard page.count >= (isLeaf || isFreeList ? 1 : 2) else { throw FileDamage("page \(number) is empty") }
    var total = 0
    for index in 0..<page.count {
      guard let node = page.node(index, isLeaf: isLeaf), total + node.extent <= pageSize - page.upper,
        isKey(node.key.count, isLeaf: isLeaf, index: index)
      else {
        extents = Array(repeating: 0, count: pageSize / 2)
        throw FileDamage("page \(number): node \(index) is damaged")
      }
      total += node.extent
      extents[page.offset(of: index) / 2] = UInt16(node.extent)
    }
    // Each step from a node to its neighbour must find a node: none overlaps another, and there is no gap.
    var offset = page.upper
    var found = 0
    while offset < pageSize, extents[offset / 2] > 0 {
      let extent = Int(extents[offset / 2])
      extents[offset / 2] = 0
      offset += extent
      found += 1
    }
    guard offset == pageSize, found == page.count else {
      extents = Array(repeating: 0, count: pageSize / 2)
      throw FileDamage("page \(number): nodes overlap")
    }
    return page
  }

  private func isKey(_ length: Int, isLeaf: Bool, index: Int) -> Bool {
    guard let keyLength else { return true }
    return length == keyLength || !isLeaf && index == 0 && length == 0
  }
}

/// Memory for one page.
private final class PageBuffer {
  let bytes: UnsafeMutableRawBufferPointer

  init(_ size: Int) { bytes = .allocate(byteCount: size, alignment: 8) }

  deinit { bytes.deallocate() }
}

/// A key of 8 or 20 bytes that compares like it does in its tree; the empty one is before all others.
private struct OrderedKey {
  private var first: UInt64 = 0
  private var second: UInt64 = 0
  private var third: UInt64 = 0

  init() {}

  init(_ bytes: UnsafeRawBufferPointer, isNumber: Bool) {
    let word = bytes.loadUnaligned(as: UInt64.self)
    first = isNumber ? UInt64(littleEndian: word) : UInt64(bigEndian: word)
    if bytes.count == KeyBytes.count {
      second = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      // One more than it is, so that the key of 20 zeros is behind the empty one.
      third = UInt64(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))) + 1
    }
  }

  @inline(__always)
  static func < (first: OrderedKey, second: OrderedKey) -> Bool {
    if first.first != second.first { return first.first < second.first }
    if first.second != second.second { return first.second < second.second }
    return first.third < second.third
  }
}
