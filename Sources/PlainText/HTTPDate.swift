/// A moment as HTTP and e-mail write it, `Sun, 06 Nov 1994 08:49:37 GMT`: to the second, from 1970 to 9999
/// (RFC 9110 §5.6.7).
public struct HTTPDate: Hashable, Comparable, Sendable {
  /// Seconds since the beginning of 1970 UTC, without leap seconds.
  public let secondsSince1970: UInt64

  /// Takes seconds since 1970; nil after the year 9999, for which there is no such date.
  public init?(secondsSince1970 seconds: UInt64) {
    guard seconds < 253_402_300_800 else { return nil }
    secondsSince1970 = seconds
  }

  /// Reads IMF-fixdate or one of the obsolete forms of RFC 850 and of C's `asctime`, white space around ignored.
  ///
  /// Nil if it is none of them, if the day of the week is another one, or if the time does not exist (leap seconds
  /// included).
  public init?(_ text: some StringProtocol) {
    // Nobody sends a date with so much white space; a longer text is not worth a copy.
    guard text.utf8.count <= 128 else { return nil }
    var utf8 = Array(text.utf8)[...]
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }
    utf8 = utf8.drop(while: isSpace)
    while let last = utf8.last, isSpace(last) { utf8.removeLast() }
    var fields = Fields()
    let trimmed = Array(utf8)
    guard fields.readIMFFixdate(trimmed) || fields.readRFC850(trimmed) || fields.readAsctime(trimmed),
      let seconds = fields.secondsSince1970
    else { return nil }
    self.init(secondsSince1970: seconds)
  }

  /// Earlier before later.
  public static func < (first: HTTPDate, second: HTTPDate) -> Bool {
    first.secondsSince1970 < second.secondsSince1970
  }

  fileprivate static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
  fileprivate static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
}

extension HTTPDate: CustomStringConvertible {
  /// IMF-fixdate, 29 characters.
  public var description: String {
    let (days, second) = Int(secondsSince1970).quotientAndRemainder(dividingBy: 86400)
    let date = CivilDate(daysSince1970: UInt32(days))
    var text: [UInt8] = []
    text.reserveCapacity(29)
    func append(_ number: Int, digits: Int, _ separator: StaticString) {
      var unit = digits == 4 ? 1000 : 10
      while unit > 0 {
        text.append(UInt8(truncatingIfNeeded: 48 + number / unit % 10))
        unit /= 10
      }
      append(separator)
    }
    func append(_ separator: StaticString) { separator.withUTF8Buffer { text.append(contentsOf: $0) } }
    text.append(contentsOf: Self.weekdays[date.weekday].utf8.prefix(3))
    append(", ")
    append(date.day, digits: 2, " ")
    text.append(contentsOf: Self.months[date.month - 1].utf8)
    append(" ")
    append(date.year, digits: 4, " ")
    append(second / 3600, digits: 2, ":")
    append(second / 60 % 60, digits: 2, ":")
    append(second % 60, digits: 2, " GMT")
    return String(decoding: text, as: UTF8.self)
  }
}

/// What a date's text says, field by field at fixed places, before it is known whether there is such a time.
private struct Fields {
  var year = 0
  var month = 0
  var day = 0
  var hour = 0
  var minute = 0
  var second = 0
  var weekday = 0

  /// Nil if there is no such time, or if it falls on another day of the week.
  var secondsSince1970: UInt64? {
    guard let date = CivilDate(year: year, month: month, day: day), date.weekday == weekday, hour < 24, minute < 60,
      second < 60
    else { return nil }
    return UInt64(date.daysSince1970) * 86400 + UInt64(hour * 3600 + minute * 60 + second)
  }

  /// `Sun, 06 Nov 1994 08:49:37 GMT`
  mutating func readIMFFixdate(_ text: [UInt8]) -> Bool {
    guard text.count == 29, text[3...4].elementsEqual(", ".utf8), text[7] == 0x20, text[11] == 0x20, text[16] == 0x20,
      text[25...].elementsEqual(" GMT".utf8), let weekday = Self.shortWeekday(text[..<3]),
      let day = Self.number(text[5..<7]), let month = Self.month(text[8..<11]), let year = Self.number(text[12..<16]),
      setTime(text[17..<25])
    else { return false }
    (self.weekday, self.day, self.month, self.year) = (weekday, day, month, year)
    return true
  }

  /// `Sunday, 06-Nov-94 08:49:37 GMT`; years below 70 are in this century.
  mutating func readRFC850(_ text: [UInt8]) -> Bool {
    guard let comma = text.firstIndex(of: UInt8(ascii: ",")), text.count == comma + 24,
      let weekday = HTTPDate.weekdays.firstIndex(where: { $0.utf8.elementsEqual(text[..<comma]) }),
      text[comma + 1] == 0x20, text[comma + 4] == UInt8(ascii: "-"), text[comma + 8] == UInt8(ascii: "-"),
      text[comma + 11] == 0x20, text[(comma + 20)...].elementsEqual(" GMT".utf8),
      let day = Self.number(text[(comma + 2)..<(comma + 4)]), let month = Self.month(text[(comma + 5)..<(comma + 8)]),
      let year = Self.number(text[(comma + 9)..<(comma + 11)]), setTime(text[(comma + 12)..<(comma + 20)])
    else { return false }
    (self.weekday, self.day, self.month, self.year) = (weekday, day, month, year < 70 ? 2000 + year : 1900 + year)
    return true
  }

  /// `Sun Nov  6 08:49:37 1994`
  mutating func readAsctime(_ text: [UInt8]) -> Bool {
    guard text.count == 24, text[3] == 0x20, text[7] == 0x20, text[10] == 0x20, text[19] == 0x20,
      let weekday = Self.shortWeekday(text[..<3]), let month = Self.month(text[4..<7]),
      let day = Self.number(text[8] == 0x20 ? text[9..<10] : text[8..<10]), let year = Self.number(text[20...]),
      setTime(text[11..<19])
    else { return false }
    (self.weekday, self.day, self.month, self.year) = (weekday, day, month, year)
    return true
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
    HTTPDate.months.firstIndex { $0.utf8.elementsEqual(name) }.map { $0 + 1 }
  }

  private static func shortWeekday(_ name: ArraySlice<UInt8>) -> Int? {
    HTTPDate.weekdays.firstIndex { $0.utf8.prefix(3).elementsEqual(name) }
  }
}
