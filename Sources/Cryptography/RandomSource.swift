import CSodium

/// Where a state machine takes its randomness from: the operating system in service, a seed in tests and simulations.
public enum RandomSource: RandomNumberGenerator, Sendable {
  /// The operating system's generator, fit for keys. Not across fork(2): parent and child would draw the same next words.
  case system
  /// xoshiro256** (Blackman, Vigna 2018): the same seed gives the same run. Never for keys.
  case seeded(Xoshiro256)

  /// A repeatable source.
  public init(seed: UInt64) { self = .seeded(Xoshiro256(seed: seed)) }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    switch self {
    case .system:
      Sodium.require()
      return sodium_random_word()
    case .seeded(var generator):
      let value = generator.next()
      self = .seeded(generator)
      return value
    }
  }

  /// `count` random bytes.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    if case .system = self {
      Sodium.require()
      return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        if let base = buffer.baseAddress { randombytes_buf(base, count) }
        initialized = count
      }
    }
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}

/// The generator xoshiro256**, seeded through SplitMix64.
public struct Xoshiro256: RandomNumberGenerator, Sendable {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  /// Starts from a seed.
  public init(seed: UInt64) {
    var mixer = seed
    func splitMix() -> UInt64 {
      mixer &+= 0x9e37_79b9_7f4a_7c15
      var z = mixer
      z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
      return z ^ z >> 31
    }
    state = (splitMix(), splitMix(), splitMix(), splitMix())
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    func rotate(_ x: UInt64, _ count: UInt64) -> UInt64 { x << count | x >> (64 - count) }
    let result = rotate(state.1 &* 5, 7) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = rotate(state.3, 45)
    return result
  }
}
