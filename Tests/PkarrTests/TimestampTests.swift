import Pkarr
import TestSupport
import Testing

@Suite struct TimestampTests {
  struct File: Decodable {
    struct Encode: Decodable {
      let microseconds: UInt64
      let microsecondsDecimalString: String
      let be8Hex: HexBytes
      let crockfordBase32: String
      let bep44SeqI64: Int64
      let httpDate: String?
    }
    struct Parse: Decodable {
      let input: String
      let microseconds: UInt64?
      let note: String
    }
    struct Readme: Decodable { let crockfordBase32: String }
    let encode: [Encode]
    let parseHttpDate: [Parse]
    let readmeExample: Readme
  }
  let file: File

  init() throws { file = try Vectors.load("pkarr/timestamps.json", keys: .convertFromSnakeCase) }

  @Test("a timestamp has the published forms, and each is read back")
  func forms() throws {
    #expect(file.encode.count == 14)
    for row in file.encode {
      let timestamp = Timestamp(microseconds: row.microseconds)
      #expect("\(timestamp.microseconds)" == row.microsecondsDecimalString)
      #expect(timestamp.bytes == row.be8Hex.bytes)
      #expect("\(timestamp)" == row.crockfordBase32)
      #expect(timestamp.seq == row.bep44SeqI64)
      #expect(timestamp.httpDate == row.httpDate)
      let read = Timestamp(row.be8Hex.bytes.span.bytes)
      #expect(read == timestamp)
      #expect(Timestamp(row.crockfordBase32) == timestamp)
      #expect(Timestamp(seq: row.bep44SeqI64) == timestamp)
      #expect(timestamp.isPublishable == (row.bep44SeqI64 > 0))
      if let date = row.httpDate {
        #expect(Timestamp(httpDate: date)?.microseconds == row.microseconds / 1_000_000 * 1_000_000)
      }
    }
    #expect(Timestamp(file.readmeExample.crockfordBase32)?.description == file.readmeExample.crockfordBase32)
  }

  @Test(
    "text that is not thirteen canonical characters is no timestamp",
    arguments: [
      "", "000000000000", "00000000000000", "000000000000Z", "000000000000o", "00000000000é", "0035d2ey95h40",
    ])
  func textRefusals(text: String) {
    #expect(Timestamp(text) == nil)
  }

  @Test("HTTP dates are read in three forms, with the right day of the week only")
  func httpDates() {
    #expect(file.parseHttpDate.count == 9)
    for row in file.parseHttpDate {
      #expect(Timestamp(httpDate: row.input)?.microseconds == row.microseconds, "\(row.note)")
    }
  }

  @Test(
    "dates that do not exist are refused",
    arguments: [
      "", " ", "Sun", "Wed, 31 Feb 2024 00:00:00 GMT", "Thu, 29 Feb 2023 00:00:00 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
      "Sat, 01 Jan 0000 00:00:00 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37GMT", "Sun, 06 Nov 19éé 08:49:37 GMT",
      "Sun, +6 Nov 1994 08:49:37 GMT", "Sun Nov 06 08:49:37 199", "Sun, 06-Nov-94 08:49:37 GMT",
      ",                       ",
      "Sun, 06 Nov 1994 08:49:37 GMT" + String(repeating: "x", count: 1000),
    ])
  func httpDateRefusals(text: String) {
    #expect(Timestamp(httpDate: text) == nil)
  }

  @Test("from 1970 to 9999, the first and last second of each year and each 1 March are right")
  func calendar() throws {
    var seconds: UInt64 = 0
    for year in 1970...9999 {
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      let first = Timestamp(microseconds: seconds * 1_000_000)
      let date = try #require(first.httpDate)
      try #require(date.hasSuffix("01 Jan \(year) 00:00:00 GMT"))
      try #require(Timestamp(httpDate: date) == first)
      let march = Timestamp(microseconds: (seconds + (isLeap ? 60 : 59) * 86400) * 1_000_000)
      try #require(march.httpDate?.hasSuffix("01 Mar \(year) 00:00:00 GMT") == true)
      try #require(Timestamp(httpDate: march.httpDate!) == march)
      seconds += (isLeap ? 366 : 365) * 86400
      let last = Timestamp(microseconds: seconds * 1_000_000 - 1)
      try #require(last.httpDate?.hasSuffix("31 Dec \(year) 23:59:59 GMT") == true)
    }
    #expect(Timestamp(microseconds: seconds * 1_000_000).httpDate == nil)
  }

  @Test("timestamps increase strictly whatever the clock does, in all threads together")
  func generator() async {
    let generator = TimestampGenerator()
    let clocks: [UInt64] = [100, 100, 50, 0, 101, 500, 499, .max - 1, 3, 3]
    let results = clocks.map { generator.next(after: Timestamp(microseconds: $0)).microseconds }
    #expect(results == [100, 101, 102, 103, 104, 500, 501, .max - 1, .max, .max])
    let shared = TimestampGenerator()
    let all = await withTaskGroup(of: [Timestamp].self) { group in
      for _ in 0..<8 { group.addTask { (0..<1000).map { _ in shared.next(after: Timestamp(microseconds: 9)) } } }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(Set(all).count == 8000)
    let (first, second) = (Timestamp.now(), Timestamp.now())
    #expect(first < second && Timestamp.wallClock.microseconds > 1_700_000_000_000_000)
  }

  @Test("arithmetic stops at both ends of time")
  func saturation() {
    let (zero, end, middle) = (Timestamp.zero, Timestamp(microseconds: .max), Timestamp(microseconds: 5_000_000))
    #expect(zero.subtracting(microseconds: 1) == zero && zero.subtracting(seconds: .max) == zero)
    #expect(end.adding(microseconds: 1) == end && middle.adding(seconds: .max) == end)
    #expect(middle.adding(microseconds: .max) == end && middle.subtracting(seconds: 6) == zero)
    #expect(
      middle.adding(seconds: 2).microseconds == 7_000_000 && middle.subtracting(seconds: 2).microseconds == 3_000_000)
    #expect(middle.seconds(since: end) == 0 && middle.microseconds(since: zero) == 5_000_000)
    #expect(Timestamp(microseconds: 6_999_999).seconds(since: middle) == 1)
  }

  @Test("a time to live is spelled in units and stays within 32 bits")
  func timeToLive() {
    #expect(TimeToLive.minutes(5).seconds == 300 && TimeToLive.hours(1).seconds == 3600)
    #expect(TimeToLive.days(2).seconds == 172_800 && TimeToLive.seconds(7).seconds == 7)
    #expect(TimeToLive.days(.max).seconds == .max && TimeToLive.days(.min).seconds == 0)
    #expect(TimeToLive.seconds(-1).seconds == 0 && TimeToLive.hours(1_193_047).seconds == .max)
    let literal: TimeToLive = 30
    #expect(literal < .minutes(1) && "\(literal)" == "30")
  }
}
