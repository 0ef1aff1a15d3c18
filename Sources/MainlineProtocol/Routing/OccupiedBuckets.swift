/// Which of the 160 buckets hold nodes.
struct OccupiedBuckets: Sendable {
  private var words = InlineArray<3, UInt64>(repeating: 0)

  /// The lowest one.
  var lowest: Int? {
    for index in 0..<3 where words[index] != 0 { return index * 64 + words[index].trailingZeroBitCount }
    return nil
  }

  mutating func insert(_ number: Int) { words[number >> 6] |= 1 << UInt64(number & 63) }
  mutating func remove(_ number: Int) { words[number >> 6] &= ~(1 << UInt64(number & 63)) }

  @inline(__always)
  func forEach(below limit: Int, _ body: (Int) -> Void) {
    for index in stride(from: 2, through: 0, by: -1) {
      var word = words[index]
      while word != 0 {
        let bit = 63 &- word.leadingZeroBitCount
        word &= ~(1 << UInt64(bit))
        let number = index &* 64 &+ bit
        if number < limit { body(number) }
      }
    }
  }

  @inline(__always)
  func forEach(above limit: Int, _ body: (Int) -> Void) {
    for index in 0..<3 {
      var word = words[index]
      while word != 0 {
        let bit = word.trailingZeroBitCount
        word &= word &- 1
        let number = index &* 64 &+ bit
        if number > limit { body(number) }
      }
    }
  }
}
