/// About how often something was asked for lately: a count-min sketch of 4-bit counters that are halved from time to time
/// (Einziger, Friedman, Manes 2017, "TinyLFU"). Its size is fixed, whatever comes in.
struct FrequencySketch: Sendable {
  private var counters: [UInt64]
  private let mask: UInt64
  private var additions = 0
  private let sampleSize: Int

  /// Room for about so many names at a time, rounded up to a power of two.
  init(capacity: Int) {
    var words = 64
    while words < capacity / 4 && words < 1 << 20 { words *= 2 }
    counters = Array(repeating: 0, count: words)
    mask = UInt64(words - 1)
    // Few enough that two names seldom share all of their counters.
    sampleSize = words * 2
  }

  /// The word and the bit at which the counter of a row stands.
  private func place(_ hash: UInt64, _ row: UInt64) -> (Int, UInt64) {
    let mixed = (hash ^ row &* 0x9e37_79b9_7f4a_7c15) &* (0xc2b2_ae3d_27d4_eb4f &+ row << 1)
    return (Int(mixed >> 32 & mask), (mixed >> 28 & 15) * 4)
  }

  /// Counts one request.
  mutating func add(_ hash: UInt64) {
    for row in 0..<4 as Range<UInt64> {
      let (word, shift) = place(hash, row)
      if counters[word] >> shift & 15 < 15 { counters[word] += 1 << shift }
    }
    additions += 1
    if additions >= sampleSize { age() }
  }

  /// Requests counted, at most 15; never less than there were since the last halving.
  func estimate(_ hash: UInt64) -> UInt8 {
    var least: UInt64 = 15
    for row in 0..<4 as Range<UInt64> {
      let (word, shift) = place(hash, row)
      least = min(least, counters[word] >> shift & 15)
    }
    return UInt8(least)
  }

  private mutating func age() {
    for index in counters.indices { counters[index] = counters[index] >> 1 & 0x7777_7777_7777_7777 }
    additions /= 2
  }
}
