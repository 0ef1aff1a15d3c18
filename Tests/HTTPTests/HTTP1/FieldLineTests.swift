import Testing

@testable import HTTP

@Suite("Field lines")
struct FieldLineTests {
  @Test("names are kept in lower case, values without the white space around them")
  func values() throws {
    let head = try #require(
      try parseRequest(
        request("GET / HTTP/1.1", "X-A: \t one two \t", "x-a:three", "ACCEPT-Language:\t", "!#$%&'*+-.^_`|~09: ~"))
    ).head
    #expect(head.fields.values("x-a") == ["one two", "three"])
    #expect(head.fields.joined("X-A") == "one two, three")
    #expect(head.fields["accept-language"] == "")
    #expect(head.fields["!#$%&'*+-.^_`|~09"] == "~")
    #expect(head.fields.count == 5)
  }

  @Test("bytes above ASCII are part of a value, tabs too")
  func obsText() throws {
    var bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX: a\tb".utf8)
    bytes += Array(UInt8(0x80)...0xff)
    bytes += Array("\r\n\r\n".utf8)
    var parser = HTTP1RequestParser(limits: HTTPHeadLimits())
    let head = try #require(try withBytes(bytes) { bytes throws(HTTP1Error) in try parser.parse(bytes) }).head
    let value = try #require(head.fields.withValue("x") { Array($0) })
    #expect(value == Array("a\tb".utf8) + Array(UInt8(0x80)...0xff))
  }

  @Test("control characters are refused wherever they stand", arguments: Array(UInt8(0)...0x1f) + [0x7f])
  func controlCharacters(byte: UInt8) {
    if byte == 0x09 { return }
    // At every distance from the start of a word, so that each lane of the search is tried.
    for shift in 0..<9 {
      let pad = String(repeating: "x", count: shift)
      let character = String(UnicodeScalar(byte))
      for line in ["X: \(pad)\(character)b", "X: \(pad)\(character)", "X\(pad)\(character): b", "\(pad)\(character)"] {
        #expect(refusal(request("GET / HTTP/1.1", line, "Y: z")) == 400, "\(byte) \(shift) \(line.debugDescription)")
      }
      #expect(refusal(request("GET /\(pad)\(character) HTTP/1.1")) == 400)
    }
  }

  @Test(
    "a line that is no field is refused",
    arguments: [
      "X : a", "X\t: a", " X: a", "\tX: a", ": a", "X", "X y: a", "X(: a", "\u{e9}: a", "X\u{e9}: a", "[X]: a",
      "\"X\": a",
      "X;: a", "X=Y: a",
    ])
  func badLines(line: String) {
    #expect(refusal(request("GET / HTTP/1.1", line)) == 400)
    #expect(refusal(request("GET / HTTP/1.1", line, host: false)) == 400)
  }

  @Test("folded lines are refused, also behind the first line")
  func folding() {
    #expect(refusal(request("GET / HTTP/1.1", "X: a", " b")) == 400)
    #expect(refusal(request("GET / HTTP/1.1", "X: a", "\tb: c")) == 400)
    #expect(refusal("GET / HTTP/1.1\r\n Host: a\r\n\r\n") == 400)
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n") == 400)
  }

  @Test(
    "only CR LF ends a line",
    arguments: [
      "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\rHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "\rGET / HTTP/1.1\r\n",
    ])
  func lineEnds(message: String) { #expect(refusal(message) == 400) }

  @Test("a bad line is refused before the head is complete")
  func earlyRefusal() {
    #expect(refusal("GET / HTTP/1.1\r\nHost : a\r\n") == 400)
    #expect(refusal("GET / HTTP/1.1\n") == 400)
    #expect(refusal("GET / HTTP/2.0\r\n") == 505)
    #expect(refusal("\u{16}\u{3}\u{1}") == 400)
  }

  @Test("the search for control characters agrees with a search byte by byte, at any place and length")
  func search() {
    var generator = SystemRandomNumberGenerator()
    var found = 0
    for _ in 0..<3000 {
      let interesting: [UInt8] = [0, 8, 9, 0x1f, 0x20, 0x21, 0x7e, 0x7f, 0x80, 0x9f, 0xa0, 0xff]
      let bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
        Int.random(in: 0..<12, using: &generator) == 0
          ? interesting.randomElement(using: &generator)! : UInt8.random(in: 0x30...0x39, using: &generator)
      }
      let start = Int.random(in: 0...bytes.count, using: &generator)
      let end = Int.random(in: start...bytes.count, using: &generator)
      let control = bytes[start..<end].firstIndex { $0 < 0x20 && $0 != 9 || $0 == 0x7f } ?? end
      let invisible = bytes[start..<end].firstIndex { !(0x21...0x7e).contains($0) } ?? end
      withBytes(bytes) {
        #expect(OctetScan.firstControl(in: $0, from: start, to: end) == control, "\(bytes) \(start)..<\(end)")
        #expect(OctetScan.firstInvisible(in: $0, from: start, to: end) == invisible, "\(bytes) \(start)..<\(end)")
      }
      if control < end { found += 1 }
    }
    #expect(found > 100)
  }
}

@Suite("The Host field")
struct HostTests {
  @Test("HTTP/1.1 wants exactly one that is not empty")
  func presence() throws {
    #expect(refusal("GET / HTTP/1.1\r\n\r\n") == 400)
    #expect(refusal("GET / HTTP/1.1\r\nHost:\r\n\r\n") == 400)
    #expect(refusal("GET / HTTP/1.1\r\nHost: \t\r\n\r\n") == 400)
    #expect(refusal(request("GET / HTTP/1.1", "host: a.example")) == 400)
    #expect(refusal(request("GET / HTTP/1.0", "HOST: b.example")) == 400)
  }

  @Test("HTTP/1.0 may do without")
  func oldVersion() throws {
    #expect(try parseRequest("GET / HTTP/1.0\r\n\r\n")?.head.authority == nil)
    #expect(try parseRequest("GET / HTTP/1.0\r\nHost:\r\n\r\n")?.head.authority == nil)
    #expect(try parseRequest("GET / HTTP/1.0\r\nHost: a\r\n\r\n")?.head.authority == "a")
    #expect(refusal("GET / HTTP/1.0\r\nHost: a b\r\n\r\n") == 400)
  }

  @Test(
    "names, addresses and ports are taken",
    arguments: [
      "a", "A.example", "a.example.", "xn--bcher-kva.example:1", "127.0.0.1:65535", "[::1]", "[2001:db8::1.2.3.4]:443",
      "a_b.example", "a%20b", "a.example:", "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo", "!$&'()*+,;=~",
    ])
  func valid(host: String) throws {
    #expect(try parseRequest("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")?.head.authority == host)
  }

  @Test(
    "anything else is refused",
    arguments: [
      "a b", "a/b", "u@a", "a#b", "a?b", "a\\b", "<a>", "a\"b", "a:b", "a:1:2", "a:65536", "a:123456", "a:-1", ":80",
      "[",
      "[]", "[::1", "::1", "[::1]x", "[::1]:x", "[g::1]", "[::1%25lo]", "a%", "a%2", "a%zz", "\u{e9}", "http://a",
      "a|b",
      "a^b", "{a}", "a`b", "a\tb", "[a]b]",
    ])
  func invalid(host: String) { #expect(refusal("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n") == 400) }
}
