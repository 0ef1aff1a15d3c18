import Cryptography

#if canImport(Glibc)
  import Glibc  // cos, exp, log, pow, sqrt
#elseif canImport(Musl)
  import Musl  // cos, exp, log, pow, sqrt
#elseif canImport(Darwin)
  import Darwin  // cos, exp, log, pow, sqrt
#endif

extension Xoshiro256 {
  /// Evenly distributed between 0 (included) and 1 (not included).
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Normally distributed with mean 0 and deviation 1 (Box and Muller's way).
  mutating func normal() -> Double { sqrt(-2 * log(1 - unit())) * cos(2 * .pi * unit()) }

  /// Its logarithm is normally distributed around that of `median`.
  mutating func logNormal(median: Double, deviation: Double) -> Double { median * exp(deviation * normal()) }

  /// Weibull's law: above t with probability exp(−(t/scale)^shape).
  mutating func weibull(scale: Double, shape: Double) -> Double { scale * pow(-log(1 - unit()), 1 / shape) }
}

extension RandomSource {
  /// Evenly distributed between 0 (included) and 1 (not included).
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// True with this probability.
  mutating func chance(_ probability: Double) -> Bool { probability > 0 && unit() < probability }

  /// A random element; nil of none.
  mutating func pick<Element>(_ elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[Int(next() % UInt64(elements.count))]
  }
}

extension Duration {
  /// Whole nanoseconds.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }

  /// Seconds with their fraction.
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }

  /// Milliseconds with their fraction.
  var inMilliseconds: Double { inSeconds * 1000 }
}
