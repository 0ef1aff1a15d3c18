import Cryptography

#if canImport(Glibc)
  import Glibc  // acos, cos, sin
#elseif canImport(Musl)
  import Musl  // acos, cos, sin
#elseif canImport(Darwin)
  import Darwin  // acos, cos, sin
#endif

/// How long datagrams are on their way. What two places have between them stays the same for the whole run; the jitter of
/// ``NetworkConditions`` comes on top.
public enum LatencyModel: Sendable, Hashable {
  /// The same between any two.
  case constant(Duration)
  /// Each node draws the way from it into the middle of the network evenly; a datagram goes in on one and out on another.
  case access(ClosedRange<Duration>)
  /// Places on a globe: the way along a great circle through fibre, with detours, and at both ends an access line, most
  /// of them short and some very long.
  ///
  /// An assumption, not a measurement: light in fibre goes 200 km in a millisecond, cables are 1.4 times as long as the
  /// shortest way, access lines take 8 ms in the median with a logarithmic deviation of 0.7. Half of the round trips then
  /// take more than about 140 ms, one of a hundred more than 300 ms.
  case wideArea

  /// Kilometres that a signal gets in a millisecond along the shortest way.
  private static let kilometresPerMillisecond = 200.0 / 1.4
  private static let earthRadius = 6371.0
  /// Median of an access line of ``wideArea``, milliseconds one way, and the deviation of its logarithm.
  private static let accessMedian = 8.0
  private static let accessDeviation = 0.7

  /// Where people who run nodes live, roughly: latitude, longitude and share of the nodes.
  private static let regions: [(latitude: Double, longitude: Double, share: Double)] = [
    (50, 12, 0.30), (55, 40, 0.10), (40, -90, 0.16), (-15, -52, 0.09), (33, 112, 0.18), (20, 78, 0.09), (5, 108, 0.05),
    (5, 20, 0.02), (-33, 147, 0.01),
  ]

  /// Draws a place.
  func place(using random: inout Xoshiro256) -> Place {
    switch self {
    case .constant(let delay): return Place(access: delay.nanoseconds / 2)
    case .access(let delays):
      let spread = Double(delays.upperBound.nanoseconds - delays.lowerBound.nanoseconds)
      return Place(access: delays.lowerBound.nanoseconds + Int64(random.unit() * spread))
    case .wideArea:
      var share = random.unit()
      var region = Self.regions[0]
      for candidate in Self.regions {
        region = candidate
        share -= candidate.share
        if share < 0 { break }
      }
      let latitude = (region.latitude + 7 * random.normal()) * .pi / 180
      let longitude = (region.longitude + 9 * random.normal()) * .pi / 180
      let access = random.logNormal(median: Self.accessMedian, deviation: Self.accessDeviation)
      return Place(
        x: Float(cos(latitude) * cos(longitude)), y: Float(cos(latitude) * sin(longitude)), z: Float(sin(latitude)),
        access: Int64(min(access, 400) * 1e6))
    }
  }

  /// Nanoseconds from one place to another.
  func delay(from a: Place, to b: Place) -> Int64 {
    guard case .wideArea = self else { return a.access + b.access }
    let cosine = Double(a.x * b.x + a.y * b.y + a.z * b.z)
    let kilometres = Self.earthRadius * acos(min(1, max(-1, cosine)))
    return a.access + b.access + Int64(kilometres / Self.kilometresPerMillisecond * 1e6)
  }
}

/// Where something stands in the simulated network: a point on the unit sphere, and how long its access line is
/// (nanoseconds one way).
struct Place: Sendable, Hashable {
  var x: Float = 0
  var y: Float = 0
  var z: Float = 1
  var access: Int64 = 0
}
