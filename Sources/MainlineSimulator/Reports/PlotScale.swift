#if canImport(Glibc)
  import Glibc  // floor, ceil, log10, pow
#elseif canImport(Musl)
  import Musl  // floor, ceil, log10, pow
#elseif canImport(Darwin)
  import Darwin  // floor, ceil, log10, pow
#endif

/// Maps numbers to places along an axis, and chooses where its marks stand.
struct PlotScale {
  /// A mark and what it says.
  struct Mark {
    let value: Double
    let text: String
  }

  let isLogarithmic: Bool
  let low: Double
  let high: Double
  private let pixels: ClosedRange<Double>
  private let isReversed: Bool

  /// A scale over these values; `pixels` is where it is drawn, `isReversed` for an axis that points up.
  init(_ axis: Plot.Axis, values: [Double], pixels: ClosedRange<Double>, isReversed: Bool) {
    isLogarithmic = axis.isLogarithmic
    self.pixels = pixels
    self.isReversed = isReversed
    let usable = values.filter { $0.isFinite && (!axis.isLogarithmic || $0 > 0) }
    var low = axis.range?.lowerBound ?? usable.min() ?? 0
    var high = axis.range?.upperBound ?? usable.max() ?? 1
    if axis.isLogarithmic {
      low = max(low, 1e-9)
      if axis.range == nil {
        low = pow(10, floor(log10(low) * 3) / 3)
        high = pow(10, ceil(log10(max(high, low)) * 3) / 3)
      }
      if high <= low { high = low * 10 }
    } else if axis.range == nil {
      low = min(0, low)
      if high <= low { high = low + 1 }
      let step = Self.step(high - low)
      high = ceil(high / step - 1e-9) * step
      low = floor(low / step + 1e-9) * step
    } else if high <= low {
      high = low + 1
    }
    self.low = low
    self.high = high
  }

  /// Where a value is drawn; what lies beyond an end is drawn there.
  func place(_ value: Double) -> Double {
    let share =
      isLogarithmic
      ? log10(max(value, low) / low) / log10(high / low) : (value - low) / (high - low)
    let length = pixels.upperBound - pixels.lowerBound
    let distance = min(1, max(0, share)) * length
    return isReversed ? pixels.upperBound - distance : pixels.lowerBound + distance
  }

  /// The marks: at most about eight.
  var marks: [Mark] { isLogarithmic ? logarithmicMarks : linearMarks }

  private var linearMarks: [Mark] {
    let step = Self.step(high - low)
    let digits = max(0, min(6, Int(ceil(-log10(step) - 1e-9))))
    let first = Int(ceil(low / step - 1e-9))
    let last = Int(floor(high / step + 1e-9))
    guard first <= last, last - first < 100 else { return [] }
    return (first...last).map {
      Mark(value: Double($0) * step, text: FixedPoint.text(Double($0) * step, digits: digits))
    }
  }

  private var logarithmicMarks: [Mark] {
    let decades = Int(floor(log10(low) + 1e-9))...Int(ceil(log10(high) - 1e-9))
    let factors: [Double] = decades.count > 4 ? [1] : [1, 2, 5]
    return decades.flatMap { decade in
      factors.compactMap { factor in
        let value = factor * pow(10, Double(decade))
        guard value >= low * 0.999, value <= high * 1.001 else { return nil }
        return Mark(value: value, text: FixedPoint.text(value, digits: decade < 0 ? min(6, -decade) : 0))
      }
    }
  }

  /// 1, 2 or 5 times a power of ten, so that about six steps fill the span.
  private static func step(_ span: Double) -> Double {
    let rough = span / 6
    let power = pow(10, floor(log10(rough)))
    let factor = rough / power
    return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10)
  }
}
