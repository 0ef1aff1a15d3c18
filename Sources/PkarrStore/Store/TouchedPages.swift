/// Which pages of the map were read since ``MappedMemory`` asked to forget it.
struct TouchedPages {
  /// Bytes of a page.
  static let pageSize: UInt = 4096

  /// Where the map begins.
  private var start: UInt = 0
  /// A bit for each page; none while nobody wants to know.
  private var words: [UInt64] = []

  /// Begins anew, for a map at these addresses.
  mutating func cover(_ map: Range<UInt>) {
    start = map.lowerBound
    words = [UInt64](repeating: 0, count: map.count / Int(64 * Self.pageSize) + 1)
  }

  /// The page at an address was read. An address outside of the map, or in an earlier one, is no matter.
  @inline(__always)
  mutating func mark(_ address: UInt) {
    let page = (address &- start) / Self.pageSize
    if page / 64 < UInt(words.count) { words[Int(page / 64)] |= 1 << UInt64(page % 64) }
  }

  private func isMarked(_ address: UInt) -> Bool {
    let page = (address &- start) / Self.pageSize
    return page / 64 < UInt(words.count) && words[Int(page / 64)] >> UInt64(page % 64) & 1 == 1
  }

  /// The pages from one address to another that nobody has read, neighbours together.
  func untouched(_ addresses: Range<UInt>) -> [Range<UInt>] {
    var untouched: [Range<UInt>] = []
    for page in stride(from: addresses.lowerBound, to: addresses.upperBound, by: Int(Self.pageSize))
    where !isMarked(page) {
      let end = min(page + Self.pageSize, addresses.upperBound)
      if let last = untouched.last, last.upperBound == page {
        untouched[untouched.count - 1] = last.lowerBound..<end
      } else {
        untouched.append(page..<end)
      }
    }
    return untouched
  }

  /// Begins anew with the same map.
  mutating func forget() {
    for index in words.indices { words[index] = 0 }
  }
}
