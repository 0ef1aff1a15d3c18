import DNSWire
import Testing

/// A zone apex as PKARR has them.
let apex = try! DomainName("8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo")

/// The records of a zone file, as text with names in full except for the apex, which is `KEY`.
func lines(_ zone: String) throws -> [String] {
  try ZoneFile.parse(zone, origin: apex).records.map { entry in
    "\(entry.line): \(entry.record)".split(separator: "\(apex)", omittingEmptySubsequences: false)
      .joined(separator: "KEY")
  }
}

@Suite struct ZoneFileTests {
  @Test("the sample zone of the reference reads to its records")
  func sample() throws {
    let zone = """
      $TTL 60
      @      IN A 127.0.0.1
      dynv4  IN A 192.0.2.7
      dynv6  IN AAAA 2001:db8::7
      text   IN TXT hero=satoshi2
      """
    #expect(
      try lines(zone) == [
        "2: KEY. 60 IN A 127.0.0.1",
        "3: dynv4.KEY. 60 IN A 192.0.2.7",
        "4: dynv6.KEY. 60 IN AAAA 2001:db8::7",
        "5: text.KEY. 60 IN TXT \"hero=satoshi2\"",
      ])
  }

  @Test("without a TTL it is 300, and an explicit one holds for the records that follow")
  func stickyTTL() throws {
    let zone = """
      a A 127.0.0.1
      b 400 IN A 127.0.0.2
      c A 127.0.0.3
      d IN 1h30m A 127.0.0.4
      $TTL 2d
      e A 127.0.0.5
      f 0 A 127.0.0.6
      """
    let ttls = try ZoneFile.parse(zone, origin: apex).records.map(\.record.ttl)
    #expect(ttls == [300, 400, 400, 5400, 172_800, 0])
  }

  @Test("a line that begins with white space has the last owner, at first the apex; comments do not matter")
  func owners() throws {
    let zone =
      "\u{feff}; comment\r\n  TXT first ; comment\r\n\r\nwww A 127.0.0.1\r\n ; indented\r\n\tTXT second\r\nx TXT third"
    #expect(
      try lines(zone) == [
        "2: KEY. 300 IN TXT \"first\"", "4: www.KEY. 300 IN A 127.0.0.1", "6: www.KEY. 300 IN TXT \"second\"",
        "7: x.KEY. 300 IN TXT \"third\"",
      ])
  }

  @Test("parentheses join lines, also nested ones, and quotes keep everything but escapes")
  func parentheses() throws {
    let zone = #"""
      txt TXT ( "a;b" ; comment with ) in it
        ( "c \"d\" \\ \233" )
        plain (word) )
      @ HTTPS 1 . (
          alpn="h3,h2"
          port=8443 )
      """#
    #expect(
      try lines(zone) == [
        #"1: txt.KEY. 300 IN TXT "a;b" "c \"d\" \\ \233" "plain" "word""#,
        #"4: KEY. 300 IN HTTPS 1 . alpn="h3,h2" port=8443"#,
      ])
  }

  @Test("$ORIGIN changes what names are relative to, and @ stands for it as owner and as data")
  func origin() throws {
    let zone = """
      www CNAME @
      $ORIGIN sub
      @ A 127.0.0.1
      x CNAME @
      y MX 10 mail
      $ORIGIN \(apex).
      z NS ns.example.com.
      *.w A 127.0.0.1
      """
    #expect(
      try lines(zone) == [
        "1: www.KEY. 300 IN CNAME KEY.", "3: sub.KEY. 300 IN A 127.0.0.1", "4: x.sub.KEY. 300 IN CNAME sub.KEY.",
        "5: y.sub.KEY. 300 IN MX 10 mail.sub.KEY.", "7: z.KEY. 300 IN NS ns.example.com.",
        "8: *.w.KEY. 300 IN A 127.0.0.1",
      ])
  }

  @Test("each type reads from its text form and prints in it")
  func types() throws {
    let forms = [
      "A 127.0.0.1", "AAAA ::ffff:1.2.3.4", "AAAA 2001:db8::1", "CNAME a.example.", "NS a.example.", "PTR a.example.",
      "TXT \"\"", "TXT \"a b\" \"c\"", "MX 10 mail.example.", "SRV 1 2 3 a.example.",
      "CAA 128 issue \"ca.example; x=1\"",
      "SOA a.example. b.example. 1 2 3 4 5", "NAPTR 1 2 \"U\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .", "MB a.example.",
      "MD a.example.", "MF a.example.", "MG a.example.", "MR a.example.", "NSAP-PTR a.example.",
      "MINFO a.example. b.example.", "RP a.example. b.example.", "AFSDB 1 a.example.", "RT 1 a.example.",
      "KX 1 a.example.", "DNAME a.example.", "HINFO \"cpu\" \"os\"", "ISDN \"1\" \"2\"", "X25 \"311\"",
      "SPF \"v=spf1 -all\"", "DS 1 2 3 abcdef", "CDS 0 0 0 00", "DNSKEY 256 3 8 AQAB", "CDNSKEY 256 3 8 AQAB",
      "TLSA 3 1 1 abcd", "SMIMEA 3 1 1 abcd", "SSHFP 4 2 abcd", "CERT 1 2 3 AQAB", "ZONEMD 1 1 1 abcd",
      "OPENPGPKEY AQAB", "DHCID AAEB", "URI 1 2 \"https://example.com/\"", "EUI48 00-00-5e-00-53-2a",
      "EUI64 00-00-5e-ef-10-00-00-2a", "SVCB 0 a.example.", "HTTPS 1 . mandatory=alpn alpn=\"h2\" ech=\"AAEB\"",
      "LOC \\# 16 00000000000000000000000000000000", "TYPE65280 \\# 3 abcdef", "A \\# 0", "TYPE65280 \\# 0",
      "NULL \\# 1 00",
    ]
    for form in forms {
      let record = try #require(
        try ZoneFile.parse("x \(form)", origin: apex, keepsSOA: true).records.first, "\(form)")
      let printed = "\(record.record.type) \(record.record.data.presentation)"
      #expect(printed == form.replacing("ech=\"AAEB\"", with: "ech=\"AAEB\""))
    }
  }

  @Test("text of RFC 3597 reads to the typed record")
  func generic() throws {
    #expect(
      try lines("x TYPE1 \\# 4 7f 000001\nx type16 \\# ( 2\n 01 41 )\nx CLASS1 TYPE731 \\# 1 FF") == [
        "1: x.KEY. 300 IN A 127.0.0.1", "2: x.KEY. 300 IN TXT \"A\"", "4: x.KEY. 300 IN TYPE731 \\# 1 ff",
      ])
  }

  @Test("what is legal but odd gives warnings and stays")
  func warnings() throws {
    let zone = """
      a A 127.0.0.1
      a 60 A 127.0.0.1
      a 61 A 127.0.0.2
      b CNAME www.example.com
      c\\ d 3000000000 A 127.0.0.1
      @ SOA a. b. 1 2 3 4 5
      """
    let result = try ZoneFile.parse(zone, origin: apex)
    #expect(result.records.count == 5)
    #expect(result.warnings.map(\.line) == [2, 3, 4, 5, 5, 6])
    #expect(result.warnings[2].message.contains("\"www.example.com\" has no dot at its end"))
    #expect(try ZoneFile.parse(zone, origin: apex, keepsSOA: true).records.count == 6)
  }

  @Test("an error names place, word and cure, ready to print")
  func report() throws {
    let zone = "$TTL 60\n\n; a comment\n\n@ A 127.0.0.1\n\nwww  300s5  CNAME  @\n"
    let error = try #require(throws: ZoneFileError.self) { try ZoneFile.parse(zone, origin: apex) }
    #expect((error.line, error.column, error.length) == (7, 6, 5))
    #expect(
      error.report(file: "examples/zone") == """
        examples/zone:7: "300s5" is not a TTL
            www  300s5  CNAME  @
                 ^^^^^
            Write seconds (300) or units (5m, 1h30m, 2d).
        """)
  }

  @Test(
    "bad input is refused with place and reason",
    arguments: [
      ("x A 127.0.0.256", 1, 5, "is not an IPv4 address"),
      ("x A ::1", 1, 5, "is not an IPv4 address"),
      ("x AAAA 127.0.0.1", 1, 8, "is not an IPv6 address"),
      ("x A", 1, 4, "an IPv4 address is missing"),
      ("x", 1, 2, "the type of the record is missing"),
      ("x A 127.0.0.1 127.0.0.2", 1, 15, "is one word too many"),
      ("x CNAMES a", 1, 3, "is not a record type"),
      ("x CH A 127.0.0.1", 1, 3, "is a class"),
      ("x ANY \\# 0", 1, 3, "is a class"),
      ("x AXFR \\# 0", 1, 3, "is a type for questions"),
      ("x 4294967296 A 127.0.0.1", 1, 3, "is not a TTL"),
      ("x 1h1h A 127.0.0.1", 1, 3, "is not a TTL"),
      ("x 1 2 A 127.0.0.1", 1, 5, "is not a record type"),
      ("\n example.com. A 127.0.0.1", 2, 2, "is not a record type"),
      ("example.com. A 127.0.0.1", 1, 1, "is outside of the zone"),
      ("\"x\" A 127.0.0.1", 1, 1, "is in quotes"),
      ("a..b A 127.0.0.1", 1, 1, "an empty label"),
      (".a A 127.0.0.1", 1, 1, "an empty label"),
      ("a\\256 A 127.0.0.1", 1, 1, "a backslash must be followed"),
      ("x TXT \"abc", 1, 7, "a quote is never closed"),
      ("x TXT a\"b c\"", 1, 7, "has a quote in the middle"),
      ("x TXT (\n \"abc\"", 1, 7, "is never closed"),
      ("x TXT abc )", 1, 11, "without \"(\""),
      ("x TXT abc\\", 1, 11, "a backslash with nothing after it"),
      ("x TXT a\u{1b}[31m", 1, 8, "a control character"),
      ("x TXT " + String(repeating: "a", count: 256), 1, 7, "has 256 bytes; a string may have 255"),
      ("x TXT (a (b) c", 1, 7, "is never closed"),
      ("x TXT " + String(repeating: "a ", count: 65535), 1, 131_075, "more words than a record can have"),
      ("$INCLUDE other", 1, 1, "is not supported"),
      ("$GENERATE 1-2 a A 1", 1, 1, "is not a directive"),
      ("$TTL", 1, 5, "a TTL is missing"),
      ("$TTL 60 61", 1, 9, "is one word too many"),
      ("x CNAME a\nx A 127.0.0.1", 2, 1, "see line 1"),
      ("x A 127.0.0.1\nx CNAME a", 2, 1, "see line 1"),
      ("x CNAME a\nx CNAME b", 2, 1, "see line 1"),
      ("x TYPE1 \\# 3 7f0000", 1, 9, "not data of A"),
      ("x TYPE1 \\# 4 7f0000", 1, 9, "announces 4 bytes, but 3 follow"),
      ("x TYPE1 \\# 4 7f00000", 1, 14, "odd number of digits"),
      ("x TYPE1 \\# 4 7f0000zz", 1, 14, "is not hexadecimal"),
      ("x TYPE99999 \\# 0", 1, 3, "is not a record type"),
      ("x NSEC a. A", 1, 8, "has no text form here"),
      ("x CAA 0 is-sue \"\"", 1, 9, "is not a CAA tag"),
      ("x MX 65536 a", 1, 6, "is not a preference"),
      ("x DNSKEY 1 2 3 A", 1, 16, "is not base64"),
      ("x EUI48 00-00", 1, 9, "data of EUI48"),
    ])
  func refusals(zone: String, line: Int, column: Int, reason: String) throws {
    let error = try #require(throws: ZoneFileError.self) { try ZoneFile.parse(zone, origin: apex) }
    #expect(error.message.contains(reason), "\(error)")
    #expect((error.line, error.column) == (line, column), "\(error)")
    #expect(!error.report(file: "zone").unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
  }

  @Test("a misspelt type brings a suggestion")
  func suggestions() throws {
    for (wrong, right) in [("CNAMES", "CNAME"), ("AAA", "AAAA"), ("XT", "TXT"), ("HTPTS", "HTTPS"), ("MC", "MX")] {
      let error = try #require(throws: ZoneFileError.self) { try ZoneFile.parse("x \(wrong) a", origin: apex) }
      if wrong == "MC" {
        #expect(error.hint?.hasPrefix("Did you mean") == true)
      } else {
        #expect(error.hint == "Did you mean \(right)?")
      }
    }
  }

  @Test("a text beyond the limit is refused unread, and one at the limit takes linear time")
  func size() throws {
    let zone = String(repeating: "x TXT a ; c\n", count: 20_000)
    #expect(throws: Never.self) { try ZoneFile.parse(zone, origin: apex) }
    let error = try #require(throws: ZoneFileError.self) {
      try ZoneFile.parse(zone, origin: apex, sizeLimit: zone.utf8.count - 1)
    }
    #expect(error.line == 0)
    #expect(error.report(file: "zone").hasPrefix("zone: the zone has 240000 bytes; at most 239999 are read"))
  }

  @Test("columns count characters, and a very long line is cut around the word")
  func columns() throws {
    let wide = try #require(throws: ZoneFileError.self) { try ZoneFile.parse("ü TXT \"ä\" \"ö", origin: apex) }
    #expect((wide.column, wide.length) == (11, 1))
    let long = try #require(throws: ZoneFileError.self) {
      try ZoneFile.parse("x TXT " + String(repeating: "a ", count: 5000) + "\"b", origin: apex)
    }
    #expect(long.column == 10007)
    let printed = long.report(file: "zone").split(separator: "\n")
    #expect(printed.count == 4)
    #expect(printed[1].count < 200)
    let caret = try #require(printed[2].firstIndex(of: "^"))
    #expect(
      printed[1][
        printed[1].index(printed[1].startIndex, offsetBy: printed[2].distance(from: printed[2].startIndex, to: caret))]
        == "\"")
  }
}
