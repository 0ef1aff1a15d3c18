import Glibc

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
    let (year, month, day) = Self.civilDate(daysSince1970: milliseconds / 86_400_000)
    func padded(_ value: UInt64, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    let time = "\(padded(secondOfDay / 3600, 2)):\(padded(secondOfDay / 60 % 60, 2)):\(padded(secondOfDay % 60, 2))"
    return "\(date)T\(time).\(padded(milliseconds % 1000, 3))Z"
  }

  /// Year, month and day of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms", 2013).
  private static func civilDate(daysSince1970 days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
    let shifted = days + 719_468  // from 1 March of the year 0
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
