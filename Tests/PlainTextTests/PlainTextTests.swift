import Foundation
import PlainText
import Testing

@Suite("JSON output")
struct JSONTests {
  @Test("fields keep their order and take one line")
  func order() {
    let value: JSON = ["z": 1, "a": [true, nil, "x\ny"], "m": ["k": -2.5]]
    #expect(value.description == #"{"z":1,"a":[true,null,"x\ny"],"m":{"k":-2.5}}"#)
  }

  @Test("every Unicode scalar comes back through another reader")
  func roundTrip() throws {
    let interesting: [UInt32] = Array(0...0x2ff) + [0x2028, 0x202e, 0xfeff, 0xfffd, 0xffff, 0x1f600, 0x10ffff]
    let text = String(String.UnicodeScalarView(interesting.compactMap(Unicode.Scalar.init)))
    let line = JSON.array([.string(text)]).description
    #expect(!line.unicodeScalars.contains { ControlCharacters.contains($0) })
    let back = try JSONDecoder().decode([String].self, from: Data(line.utf8))
    #expect(Array(back[0].unicodeScalars) == Array(text.unicodeScalars))
  }

  @Test("numbers keep all of their digits, and what JSON cannot say is null")
  func numbers() {
    #expect(JSON(UInt64.max).description == "18446744073709551615")
    #expect(JSON(Int64.min).description == "-9223372036854775808")
    #expect(JSON(UInt8(7)) == .integer(7))
    #expect(JSON.number(.infinity).description == "null")
    #expect(JSON.number(.nan).description == "null")
  }
}

@Suite("Durations in words")
struct DurationTextTests {
  @Test(
    "units and plain seconds are read",
    arguments: [
      ("0", 0), ("300", 300), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1w1d1h1m1s", 694_861), ("15s", 15),
    ] as [(String, Int64)])
  func reads(text: String, seconds: Int64) { #expect(DurationText.parse(text) == .seconds(seconds)) }

  @Test(
    "anything else is refused",
    arguments: [
      "", "h", "1x", "300s5", "1h1h", "1m1h", "-1", "+1", " 1", "1 h", "1.5h", "١h", "99999999999999", "999999999999w",
    ])
  func refuses(text: String) { #expect(DurationText.parse(text) == nil) }

  @Test("they are told in the units that matter")
  func describes() {
    #expect(DurationText.describe(.microseconds(7)) == "7 µs")
    #expect(DurationText.describe(.milliseconds(9)) == "9 ms")
    #expect(DurationText.describe(.milliseconds(1250)) == "1.2 s")
    #expect(DurationText.describe(.seconds(240)) == "4 min")
    #expect(DurationText.describe(.seconds(5400)) == "1 h 30 min")
    #expect(DurationText.describe(.seconds(172_801)) == "2 d")
    #expect(DurationText.describe(.zero) == "0 s")
    #expect(DurationText.relative(.seconds(240)) == "in 4 min")
    #expect(DurationText.relative(.seconds(-7200)) == "2 h ago")
    #expect(DurationText.relative(.milliseconds(-300)) == "just now")
  }
}

@Suite("Numbers, spelling, control characters")
struct WordsTests {
  @Test("thousands are separated")
  func grouped() {
    #expect(NumberText.grouped(0) == "0")
    #expect(NumberText.grouped(999) == "999")
    #expect(NumberText.grouped(1038) == "1,038")
    #expect(NumberText.grouped(Int64.min) == "-9,223,372,036,854,775,808")
    #expect(NumberText.count(1, "record") == "1 record")
    #expect(NumberText.count(1200, "reply", "replies") == "1,200 replies")
  }

  @Test("a slip of the finger finds the word, another word does not")
  func nearest() {
    let words = ["publish", "resolve", "testnet", "key", "dht", "packet"]
    #expect(Spelling.nearest(to: "pubish", in: words) == "publish")
    #expect(Spelling.nearest(to: "reslove", in: words) == "resolve")
    #expect(Spelling.nearest(to: "res", in: words) == "resolve")
    #expect(Spelling.nearest(to: "kye", in: words) == "key")
    #expect(Spelling.nearest(to: "frobnicate", in: words) == nil)
    #expect(Spelling.nearest(to: "x", in: words) == nil)
    #expect(Spelling.nearest(to: String(repeating: "a", count: 100_000), in: words) == nil)
  }

  @Test("nothing that steers a terminal gets through")
  func escapes() {
    #expect(ControlCharacters.escape("plain é 漢") == "plain é 漢")
    #expect(ControlCharacters.escape("a\u{1b}[2Jb\r\nc\u{9b}\u{202e}") == #"a\u{1b}[2Jb\r\nc\u{9b}\u{202e}"#)
  }
}
