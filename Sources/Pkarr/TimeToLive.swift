/// How long a record may be kept, in seconds (RFC 1035 §3.2.1): `.minutes(5)`, `.hours(1)`, or just `300`.
///
/// Too much is 2³² − 1 seconds, too little is 0.
public struct TimeToLive: Hashable, Sendable, ExpressibleByIntegerLiteral {
  /// The number of seconds.
  public let seconds: UInt32

  /// Takes a number of seconds.
  public init(seconds: UInt32) { self.seconds = seconds }

  /// Takes a number of seconds.
  public init(integerLiteral seconds: UInt32) { self.seconds = seconds }

  private init(_ count: Int, times unit: Int) {
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    seconds = overflow ? (count > 0 ? .max : 0) : UInt32(clamping: product)
  }

  /// So many seconds.
  public static func seconds(_ count: Int) -> TimeToLive { TimeToLive(count, times: 1) }
  /// So many minutes.
  public static func minutes(_ count: Int) -> TimeToLive { TimeToLive(count, times: 60) }
  /// So many hours.
  public static func hours(_ count: Int) -> TimeToLive { TimeToLive(count, times: 3600) }
  /// So many days.
  public static func days(_ count: Int) -> TimeToLive { TimeToLive(count, times: 86400) }
}

extension TimeToLive: Comparable, CustomStringConvertible {
  /// True if `first` is the shorter one.
  public static func < (first: TimeToLive, second: TimeToLive) -> Bool { first.seconds < second.seconds }

  /// The number of seconds in digits.
  public var description: String { "\(seconds)" }
}
