import Glibc
import PlainText

/// A moment of the wall clock, for people: never for measuring how long something takes.
public struct WallClockTime: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Microseconds since 1970.
  public let microseconds: UInt64

  /// A given moment.
  public init(microseconds: UInt64) { self.microseconds = microseconds }

  /// This moment.
  public static var now: WallClockTime {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let seconds = UInt64(clamping: time.tv_sec)
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    return WallClockTime(microseconds: overflow ? .max : product &+ UInt64(clamping: time.tv_nsec) / 1000)
  }

  /// Earlier before later.
  public static func < (a: Self, b: Self) -> Bool { a.microseconds < b.microseconds }

  /// How far this moment lies after `other`; negative if before.
  public func since(_ other: WallClockTime) -> Duration {
    self < other
      ? .zero - .microseconds(Int64(clamping: other.microseconds - microseconds))
      : .microseconds(Int64(clamping: microseconds - other.microseconds))
  }

  /// RFC 3339 in UTC with milliseconds: `2026-11-21T09:23:53.123Z`. Years beyond 9999 have more digits.
  public var description: String {
    let milliseconds = microseconds / 1000
    let secondOfDay = milliseconds / 1000 % 86_400
    let civil = CivilDate(daysSince1970: UInt32(milliseconds / 86_400_000))
    func padded(_ value: some BinaryInteger, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    let date = "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))"
    let time = "\(padded(secondOfDay / 3600, 2)):\(padded(secondOfDay / 60 % 60, 2)):\(padded(secondOfDay % 60, 2))"
    return "\(date)T\(time).\(padded(milliseconds % 1000, 3))Z"
  }
}
