import PlainText
import Testing

@Suite("Dates of HTTP")
struct HTTPDateTests {
  @Test(
    "the example of RFC 9110 is read in its three forms, and written in the first",
    arguments: [
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
      " \tSun, 06 Nov 1994 08:49:37 GMT ",
    ])
  func forms(text: String) throws {
    let date = try #require(HTTPDate(text))
    #expect(date.secondsSince1970 == 784_111_777)
    #expect(date.description == "Sun, 06 Nov 1994 08:49:37 GMT")
  }

  @Test("two digits of a year mean 1970 to 2069")
  func shortYears() {
    #expect(HTTPDate("Thursday, 01-Jan-70 00:00:00 GMT")?.secondsSince1970 == 0)
    #expect(HTTPDate("Tuesday, 31-Dec-69 23:59:59 GMT")?.description == "Tue, 31 Dec 2069 23:59:59 GMT")
  }

  @Test(
    "a time that does not exist is refused",
    arguments: [
      "", "Mon, 06 Nov 1994 08:49:37 GMT", "Wed, 31 Feb 2024 00:00:00 GMT", "Thu, 29 Feb 2100 00:00:00 GMT",
      "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:60 GMT",
      "Wed, 31 Dec 1969 23:59:59 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT, ",
      "Sun, 06 Nov 1994 08:49:37 GMT" + String(repeating: " ", count: 1000),
    ])
  func refusals(text: String) { #expect(HTTPDate(text) == nil) }

  @Test("after the last second of 9999 there is none, and later dates are greater")
  func limits() throws {
    let last = try #require(HTTPDate(secondsSince1970: 253_402_300_799))
    #expect(last.description == "Fri, 31 Dec 9999 23:59:59 GMT")
    #expect(HTTPDate(last.description) == last)
    #expect(HTTPDate(secondsSince1970: 253_402_300_800) == nil)
    #expect(try #require(HTTPDate(secondsSince1970: 5)) < last)
  }

  @Test("days and dates are each other's, whatever the number")
  func civilDates() {
    for days in stride(from: UInt32(0), through: 2_932_896, by: 97) {
      let date = CivilDate(daysSince1970: days)
      #expect(CivilDate(year: date.year, month: date.month, day: date.day)?.daysSince1970 == days)
    }
    let last = CivilDate(daysSince1970: .max)
    #expect(last.year == 11_761_191 && last.daysSince1970 == .max)
    #expect(CivilDate(year: 2000, month: 2, day: 29)?.weekday == 2)
    #expect(CivilDate(year: 2026, month: 2, day: 29) == nil)
    #expect(CivilDate(year: 2026, month: 13, day: 1) == nil)
    #expect(CivilDate(year: 10_000, month: 1, day: 1) == nil)
  }
}
