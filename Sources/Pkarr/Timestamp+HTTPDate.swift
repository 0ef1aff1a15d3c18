/// HTTP dates (RFC 9110 §5.6.7).
extension Timestamp {
  /// The moment as IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`, its fraction of a second dropped; nil after the year
  /// 9999, for which there is no such date.
  public var httpDate: String? { CivilTime(secondsSince1970: microseconds / 1_000_000)?.imfFixdate }

  /// Reads an HTTP date: IMF-fixdate, or the obsolete forms of RFC 850 and of C's `asctime`, white space around ignored.
  ///
  /// Nil if it is none of them, if the day of the week is another one, or if the time does not exist (leap seconds
  /// included).
  public init?(httpDate text: some StringProtocol) {
    var utf8 = Array(text.utf8)[...]
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }
    utf8 = utf8.drop(while: isSpace)
    while let last = utf8.last, isSpace(last) { utf8.removeLast() }
    // The longest form is `Wednesday, 06-Nov-94 08:49:37 GMT`.
    guard utf8.count <= 33,
      let time = CivilTime(imfFixdate: Array(utf8)) ?? CivilTime(rfc850: Array(utf8))
        ?? CivilTime(asctime: Array(utf8)),
      let seconds = time.secondsSince1970
    else { return nil }
    self.init(microseconds: seconds * 1_000_000)
  }
}

/// A date of the proleptic Gregorian calendar and a time of day, UTC, with English names.
private struct CivilTime: Equatable {
  var year = 0
  var month = 0
  var day = 0
  var hour = 0
  var minute = 0
  var second = 0
  /// 0 is Sunday.
  var weekday = 0

  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
  private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  /// Nil after the year 9999.
  init?(secondsSince1970 seconds: UInt64) {
    guard seconds < 253_402_300_800 else { return nil }
    let (days, rest) = Int(seconds).quotientAndRemainder(dividingBy: 86400)
    (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
    weekday = (days + 4) % 7
    // Years are counted from 1 March 0000, so that a leap day ends one; 719 468 days lie between that and 1970.
    let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(dividingBy: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Nil if there is no such time from 1970 to 9999, or if it falls on another day of the week.
  var secondsSince1970: UInt64? {
    guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0..<24).contains(hour),
      (0..<60).contains(minute), (0..<60).contains(second)
    else { return nil }
    let yearFromMarch = month <= 2 ? year - 1 : year
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = 365 * yearFromMarch + yearFromMarch / 4 - yearFromMarch / 100 + yearFromMarch / 400 + dayOfYear - 719_468
    guard days >= 0 else { return nil }
    let seconds = UInt64(days * 86400 + hour * 3600 + minute * 60 + second)
    // 31 April comes back as 1 May.
    return CivilTime(secondsSince1970: seconds) == self ? seconds : nil
  }

  var imfFixdate: String {
    func digits(_ number: Int, _ count: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
    return "\(Self.weekdays[weekday].prefix(3)), \(digits(day, 2)) \(Self.months[month - 1]) \(digits(year, 4)) "
      + "\(digits(hour, 2)):\(digits(minute, 2)):\(digits(second, 2)) GMT"
  }

  // MARK: - Parsing: fields at fixed places

  /// `Sun, 06 Nov 1994 08:49:37 GMT`
  init?(imfFixdate text: [UInt8]) {
    guard text.count == 29, text[3...4].elementsEqual(", ".utf8), text[7] == 0x20, text[11] == 0x20, text[16] == 0x20,
      text[25...].elementsEqual(" GMT".utf8),
      let weekday = Self.weekdays.firstIndex(where: { $0.utf8.starts(with: text[..<3]) }),
      let day = Self.number(text[5..<7]), let month = Self.month(text[8..<11]), let year = Self.number(text[12..<16]),
      setTime(text[17..<25])
    else { return nil }
    (self.weekday, self.day, self.month, self.year) = (weekday, day, month, year)
  }

  /// `Sunday, 06-Nov-94 08:49:37 GMT`; years below 70 are in this century.
  init?(rfc850 text: [UInt8]) {
    guard let comma = text.firstIndex(of: UInt8(ascii: ",")), text.count == comma + 24,
      let weekday = Self.weekdays.firstIndex(where: { $0.utf8.elementsEqual(text[..<comma]) }), text[comma + 1] == 0x20,
      text[comma + 4] == UInt8(ascii: "-"), text[comma + 8] == UInt8(ascii: "-"), text[comma + 11] == 0x20,
      text[(comma + 20)...].elementsEqual(" GMT".utf8), let day = Self.number(text[(comma + 2)..<(comma + 4)]),
      let month = Self.month(text[(comma + 5)..<(comma + 8)]), let year = Self.number(text[(comma + 9)..<(comma + 11)]),
      setTime(text[(comma + 12)..<(comma + 20)])
    else { return nil }
    (self.weekday, self.day, self.month, self.year) = (weekday, day, month, year < 70 ? 2000 + year : 1900 + year)
  }

  /// `Sun Nov  6 08:49:37 1994`
  init?(asctime text: [UInt8]) {
    guard text.count == 24, text[3] == 0x20, text[7] == 0x20, text[10] == 0x20, text[19] == 0x20,
      let weekday = Self.weekdays.firstIndex(where: { $0.utf8.starts(with: text[..<3]) }),
      let month = Self.month(text[4..<7]), let day = Self.number(text[8] == 0x20 ? text[9..<10] : text[8..<10]),
      let year = Self.number(text[20...]), setTime(text[11..<19])
    else { return nil }
    (self.weekday, self.day, self.month, self.year) = (weekday, day, month, year)
  }

  /// `08:49:37`
  private mutating func setTime(_ text: ArraySlice<UInt8>) -> Bool {
    let start = text.startIndex
    guard text.count == 8, text[start + 2] == UInt8(ascii: ":"), text[start + 5] == UInt8(ascii: ":"),
      let hour = Self.number(text[start..<(start + 2)]), let minute = Self.number(text[(start + 3)..<(start + 5)]),
      let second = Self.number(text[(start + 6)...])
    else { return false }
    (self.hour, self.minute, self.second) = (hour, minute, second)
    return true
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
  }

  private static func month(_ name: ArraySlice<UInt8>) -> Int? {
    months.firstIndex { $0.utf8.elementsEqual(name) }.map { $0 + 1 }
  }
}
