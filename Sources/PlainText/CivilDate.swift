/// A day of the Gregorian calendar, from 1970 on.
public struct CivilDate: Hashable, Sendable {
  /// 1970 or later.
  public let year: Int
  /// 1…12
  public let month: Int
  /// 1…31
  public let day: Int

  /// The day that lies so many days after 1 January 1970 (Hinnant, "chrono-compatible low-level date algorithms", 2013).
  public init(daysSince1970 days: UInt32) {
    // Years are counted from 1 March 0000, so that a leap day ends one; 719 468 days lie between that and 1970.
    let (era, dayOfEra) = (Int(days) + 719_468).quotientAndRemainder(dividingBy: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Takes a day; nil if there is none of that name, or if it is not in the years 1970…9999.
  public init?(year: Int, month: Int, day: Int) {
    guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
    // 31 April comes back as 1 May.
    if CivilDate(daysSince1970: daysSince1970) != self { return nil }
  }

  /// Number of days since 1 January 1970.
  public var daysSince1970: UInt32 {
    let yearFromMarch = month <= 2 ? year - 1 : year
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let leapDays = yearFromMarch / 4 - yearFromMarch / 100 + yearFromMarch / 400
    return UInt32(365 * yearFromMarch + leapDays + dayOfYear - 719_468)
  }

  /// The day of the week; 0 is Sunday.
  public var weekday: Int { (Int(daysSince1970) + 4) % 7 }
}
