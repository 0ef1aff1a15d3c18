import DNSWire
import Testing

@Suite struct NameTests {
  @Test("text is read with escapes, and written so that reading gives the same name")
  func text() throws {
    for (text, wire, description) in [
      ("", [0], "."), (".", [0], "."), ("a.b.", [1, 97, 1, 98, 0], "a.b"), ("a..b", [1, 97, 1, 98, 0], "a.b"),
      ("\\097\\.b", [3, 97, 46, 98, 0], "a\\.b"), ("ü", [2, 0xc3, 0xbc, 0], "\\195\\188"), ("\\@", [1, 64, 0], "\\@"),
      ("a\\ b", [3, 97, 32, 98, 0], "a\\032b"), ("\\000", [1, 0, 0], "\\000"), ("\\\\", [1, 92, 0], "\\\\"),
      ("A", [1, 65, 0], "A"),
    ] as [(String, [UInt8], String)] {
      let name = try DomainName(text)
      #expect(name.wire == wire && name.description == description)
      #expect(try DomainName(name.description) == name)
      #expect(try DomainName(name.absoluteDescription) == name)
    }
  }

  @Test("text beyond the limits or with broken escapes is refused")
  func refusals() throws {
    let label = String(repeating: "x", count: 63)
    #expect(throws: DomainNameError.labelTooLong(64)) { try DomainName(label + "x") }
    #expect(throws: Never.self) {
      try DomainName([label, label, label, String(label.dropLast(2))].joined(separator: "."))
    }
    #expect(throws: DomainNameError.nameTooLong(256)) {
      try DomainName([label, label, label, String(label.dropLast())].joined(separator: "."))
    }
    for text in ["\\", "\\25", "\\256", "\\2x5", "a\\"] {
      #expect(throws: DomainNameError.badEscape) { try DomainName(text) }
    }
    #expect(throws: DomainNameError.emptyLabel) { try DomainName(labels: [[1], []]) }
    #expect(throws: DomainNameError.nameTooLong(256)) {
      try DomainName(labels: Array(repeating: [1, 1], count: 84)).appending(DomainName("ab"))
    }
    #expect(throws: (any Error).self) { try DomainName(String(repeating: "a", count: 1 << 20)) }
  }

  @Test("equality is by bytes, with a comparison by ASCII letters beside it")
  func equality() throws {
    #expect(try DomainName("A.b") != DomainName("a.b"))
    #expect(try DomainName("A.b").equalsIgnoringASCIICase(DomainName("a.B")))
    #expect(try !DomainName("a.b").equalsIgnoringASCIICase(DomainName("ab.")))
    #expect(try !DomainName("[").equalsIgnoringASCIICase(DomainName("{")))
  }

  @Test("suffixes are found at label borders only")
  func suffixes() throws {
    let name = try DomainName("www.example.com")
    #expect(try name.hasSuffix(DomainName("example.com")) && name.hasSuffix(.root) && name.hasSuffix(name))
    #expect(try !name.hasSuffix(DomainName("ample.com")) && !name.hasSuffix(DomainName("a.www.example.com")))
    #expect(try name.removingSuffix(DomainName("com")) == DomainName("www.example"))
    #expect(try name.removingSuffix(DomainName("org")) == nil)
    #expect(try name.parent == DomainName("example.com"))
    #expect(DomainName.root.parent == nil)
    #expect(name.labels.map { String(decoding: $0, as: UTF8.self) } == ["www", "example", "com"])
  }

  @Test("the text on which PKARR matches replaces bytes that are not UTF-8")
  func lossyText() throws {
    #expect(try DomainName(labels: [[0xff, 0x61], [0xc3, 0xbc]]).text == "\u{fffd}a.ü")
  }

  @Test("publishable labels are the strict ones, a lone asterisk, and those that end in an underscore")
  func publishable() throws {
    for text in ["a", "_a", "a_", "_", "*", "*.a", "a-b", "1"] {
      #expect(throws: Never.self) { try DomainName(text).checkPublishable() }
    }
    for text in ["a*", "-a", "a-", "a\\ b", "ü", "\\@", "**"] {
      #expect(throws: DomainNameError.self) { try DomainName(text).checkPublishable() }
    }
  }

  @Test("types and classes read from names and numbers in either case")
  func typesAndClasses() {
    #expect(RecordType("aaaa") == .aaaa && RecordType("Type65") == .https && RecordType("NSAP-PTR") == .nsapPTR)
    #expect(RecordType("TYPE65536") == nil && RecordType("TYPE") == nil && RecordType("TYPE+1") == nil)
    #expect(RecordType(rawValue: 65280).description == "TYPE65280" && RecordType.https.description == "HTTPS")
    #expect(RecordClass("in") == .internet && RecordClass("CLASS3") == .chaos && RecordClass("x") == nil)
    for type in RecordType.known { #expect(RecordType(type.description) == type) }
  }
}
