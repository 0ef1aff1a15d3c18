/// A point on the monotonic clock that the caller reads: nanoseconds since an arbitrary origin.
///
/// Everything in this module takes "now" as a parameter, so a test or simulation decides what time it is.
public struct Instant: InstantProtocol, Sendable {
  /// Nanoseconds since the origin of the caller's clock.
  public let nanoseconds: Int64

  /// An instant of the caller's clock.
  @inline(__always)
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Later than every instant that a clock shows.
  public static let never = Instant(nanoseconds: .max)
  /// Earlier than every instant that a clock shows.
  public static let distantPast = Instant(nanoseconds: .min / 4)

  /// This instant moved by `duration`, at most ``never``.
  @inline(__always)
  public func advanced(by duration: Duration) -> Instant {
    let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
    return overflow ? (duration > .zero ? .never : .distantPast) : Instant(nanoseconds: sum)
  }

  /// How much later `other` is.
  @inline(__always)
  public func duration(to other: Instant) -> Duration {
    .nanoseconds(other.nanoseconds.subtractingReportingOverflow(nanoseconds).partialValue)
  }

  /// Earlier first.
  @inline(__always)
  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
}

extension Duration {
  /// The duration in nanoseconds, rounded towards zero; saturates.
  var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflow || carry ? (seconds < 0 ? .min : .max) : sum
  }
}
