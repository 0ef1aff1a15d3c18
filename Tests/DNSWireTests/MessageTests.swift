import DNSWire
import Testing
import WireFormat

@Suite struct MessageTests {
  /// Header with counts, then whatever follows.
  func message(answers: Int = 0, additionals: Int = 0, questions: Int = 0, _ body: [UInt8]) -> [UInt8] {
    [0, 0, 0x80, 0] + [questions, answers, 0, additionals].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } + body
  }

  @Test("an error says at which byte")
  func offsets() throws {
    let short = message(answers: 1, [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 3, 1, 2, 3])
    let error = try #require(throws: MessageError.self) { try Message(parsing: short) }
    #expect(error.reason == .recordDataTooShort && error.offset == 23)
    #expect("\(error)" == "the data of a record are too short for its type at byte 23")
    let loop = message(answers: 1, [1, 97, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])
    #expect(throws: MessageError.self) { try Message(parsing: loop) }
  }

  @Test("counts that cannot be true are refused before anything is read")
  func counts() throws {
    let many = message(answers: 65535, additionals: 65535, questions: 65535, Array(repeating: 0, count: 1000))
    let error = try #require(throws: MessageError.self) { try Message(parsing: many) }
    #expect(error.reason == .truncated && error.offset == 1012)
  }

  @Test("questions for types that the reference does not know are refused, and others parsed")
  func questions() throws {
    let known = message(questions: 1, [1, 97, 0, 0, 16, 0x80, 255])
    let question = try #require(try Message(parsing: known).questions.first)
    #expect(question == .init(name: try DomainName("a"), type: .txt, class: .any, unicastResponse: true))
    for type in [0, 19, 52, 256, 300] {
      let unknown = message(questions: 1, [1, 97, 0, UInt8(type >> 8), UInt8(type & 255), 0, 1])
      #expect(throws: MessageError.self) { try Message(parsing: unknown) }
    }
  }

  @Test("the first OPT record of the additional section is taken out and written in its place again")
  func options() throws {
    let option: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 4, 0, 10, 0, 0]
    let bytes = message(additionals: 2, option + option)
    let parsed = try Message(parsing: bytes)
    #expect(parsed.options?.class.rawValue == 1232 && parsed.options?.ttl == 0x8000)
    #expect(parsed.additionals.count == 1)
    #expect(try parsed.encoded() == bytes)
    let broken = message(additionals: 1, [0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 4, 0, 10, 0, 1])
    #expect(throws: MessageError.self) { try Message(parsing: broken) }
  }

  @Test("names that others compressed where they must not are written out, so that records can be copied")
  func hostileCompression() throws {
    // Owner "ab" at 12; then records whose data point to it.
    let cases: [(RecordType, before: String, after: String)] = [
      (.srv, "000100020003", ""), (.kx, "0001", ""), (.naptr, "00010002000000", ""),
      (.rrsig, "00010502000000000000000000000000abcd", "0102"), (.nsec, "", "000140"), (.ipseckey, "010301", "0304"),
      (.https, "0001", "0003000201bb"), (.mx, "0001", ""), (.rp, "c00c", ""),
      (.soa, "c00c", "0000000100000002000000030000000400000005"),
    ]
    for (type, before, after) in cases {
      let data = try #require(Hex.decode(before + "c00c" + after))
      let bytes = message(
        answers: 1,
        [2, 97, 98, 0, UInt8(type.rawValue >> 8), UInt8(type.rawValue & 255), 0, 1, 0, 0, 0, 9, 0, UInt8(data.count)]
          + data)
      let record = try #require(try Message(parsing: bytes).answers.first, "\(type)")
      let plain = try #require(Hex.decode((before + "c00c" + after).replacing("c00c", with: "02616200")))
      #expect(record.data.wire == plain, "\(type)")
      let moved = Message(
        questions: [.init(name: try DomainName("other.example"), type: .a)], answers: [record])
      #expect(try Message(parsing: moved.encoded()) == moved, "\(type)")
    }
    #expect(cases.count == 10)
  }

  @Test("types that may be compressed are, and those that must not be are not, in either direction")
  func compressionByType() throws {
    let name = try DomainName("a.example")
    let records: [ResourceRecord] = [
      .init(name: .root, ttl: 0, data: .srv(.init(priority: 0, weight: 0, port: 0, target: name))),
      .init(name: .root, ttl: 0, data: .cname(name)),
      .init(name: name, ttl: 0, data: .https(.init(priority: 1, target: name))),
      .init(name: .root, ttl: 0, data: .mx(.init(preference: 1, host: name))),
    ]
    let bytes = try Message(answers: records).encoded()
    let parsed = try Message(parsing: bytes)
    #expect(parsed.answers == records)
    // SRV: 12 + 11 + 6 + 11. CNAME writes its name in full at 51, where all later pointers go.
    #expect(bytes[51...61].elementsEqual(name.wire))
    #expect(bytes[62...63].elementsEqual([0xc0, 51]))
    #expect(bytes.count == 62 + 2 + 10 + 2 + 11 + 11 + 2 + 2)
  }

  @Test("many names are compressed as few are: pointers to the first place, up to offset 0x3FFF")
  func manyNames() throws {
    var names: [DomainName] = []
    for index in 0..<3000 { names.append(try DomainName("n\(index % 1500).s\(index % 7).example")) }
    let records = names.map { ResourceRecord(name: $0, ttl: 0, data: .a(.init(1))) }
    let bytes = try Message(answers: records).encoded()
    #expect(bytes == Self.plainlyCompressed(records))
    #expect(try Message(parsing: bytes).answers == records)
    #expect(bytes.count > 0x4000)
  }

  /// The writer of the PKARR reference, as plain as can be: a dictionary of suffixes. A records only.
  static func plainlyCompressed(_ records: [ResourceRecord]) -> [UInt8] {
    var bytes: [UInt8] = [0, 0, 0x80, 0, 0, 0, UInt8(records.count >> 8), UInt8(records.count & 255), 0, 0, 0, 0]
    var offsets: [[UInt8]: Int] = [:]
    for record in records {
      var rest = record.name.wire
      while rest.count > 1, offsets[rest] == nil {
        if bytes.count <= 0x3fff { offsets[rest] = bytes.count }
        bytes += rest.prefix(Int(rest[0]) + 1)
        rest.removeFirst(Int(rest[0]) + 1)
      }
      bytes += rest.count == 1 ? [0] : [0xc0 | UInt8(offsets[rest]! >> 8), UInt8(offsets[rest]! & 255)]
      bytes += [0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1]
    }
    return bytes
  }

  @Test("chains of pointers are followed as far as any packet needs, and no further")
  func pointerChains() throws {
    // An opaque record of 16 kB holds a chain of pointers, each to the one before; many owners start at its end.
    var chain: [UInt8] = [0, 255, 0, 0, 1, 0, 0, 0, 0]
    let start = 12 + 11
    var pointers: [UInt8] = [0, 0]
    while start + pointers.count < 0x3ff0 {
      let target = start + pointers.count - 2
      pointers += [0xc0 | UInt8(target >> 8), UInt8(target & 255)]
    }
    chain = [0, 255, 0, 0, 1, 0, 0, 0, 0, UInt8(pointers.count >> 8), UInt8(pointers.count & 255)] + pointers
    let last = start + pointers.count - 2
    // Two targets in turn, so that nothing can be remembered.
    func owner(_ index: Int) -> [UInt8] {
      let target = last - index % 2 * 2
      return [0xc0 | UInt8(target >> 8), UInt8(target & 255), 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    }
    let few = message(answers: 6, chain + (0..<5).flatMap(owner))
    #expect(try Message(parsing: few).answers.allSatisfy { $0.name.isRoot })
    let many = message(answers: 3001, chain + (0..<3000).flatMap(owner))
    let error = try #require(throws: MessageError.self) { try Message(parsing: many) }
    #expect(error.reason == .tooManyPointers)
  }

  @Test("a remembered pointer target does not hide that a name reads beyond the data of its record")
  func rememberedTarget() throws {
    // The owner "c.ab" goes by a pointer to "ab", which is then remembered; the data of the next record point there too.
    let good = message(
      answers: 2,
      [2, 97, 98, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0] + [1, 99, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, 4, 1, 100, 0xc0, 12])
    let parsed = try Message(parsing: good)
    #expect(parsed.answers[1].data == .cname(try DomainName("d.ab")))
    // The data of the first record are one byte at 23: the length of a label that runs over the two other records to
    // 87. As owner the name is good; as data of the second record it would be read beyond their end.
    func overlapping(_ type: UInt8) -> [UInt8] {
      let opaque: [UInt8] = [0, 255, 0, 0, 1, 0, 0, 0, 0, 0]
      let second: [UInt8] = [0xc0, 23, 0, type, 0, 1, 0, 0, 0, 0, 0, 2, 0xc0, 23]
      return message(answers: 3, opaque + [1, 63] + second + opaque + [60] + Array(repeating: 0, count: 60))
    }
    let asOwner = try Message(parsing: overlapping(10))
    #expect(asOwner.answers[1].name.wire.count == 65)
    #expect(throws: MessageError.self) { try MessageView.validate(overlapping(5).span.bytes) }
    #expect(throws: MessageError.self) { try Message(parsing: overlapping(5)) }
  }

  @Test("a walk hands out records by offset and compares owners in place")
  func walk() throws {
    let name = try DomainName("www.example")
    let bytes = try Message(
      questions: [.init(name: name, type: .a)], answers: [.init(name: name, ttl: 5, data: .a(.init(0x0102_0304)))],
      authorities: [.init(name: name, class: .chaos, cacheFlush: true, ttl: 6, data: .ns(name))]
    ).encoded()
    var view = try MessageView(bytes.span.bytes)
    let record = try view.next()
    let first = try #require(record)
    let firstSection = view.section
    #expect(firstSection == .answer && first.type == .a && first.ttl == 5)
    #expect(bytes[first.data].elementsEqual([1, 2, 3, 4]))
    // The macro cannot hold a view, so what it says is taken out first.
    let owners = ["www.example", "www.example.a", "www", "wwW.example", "."]
    var owned: [String] = []
    for owner in owners where view.owns(first, try DomainName(owner)) { owned.append(owner) }
    #expect(owned == ["www.example"])
    let next = try view.next()
    let second = try #require(next)
    let section = view.section
    #expect(section == .authority && second.classField == 0x8003)
    let copy = try view.copy(second)
    #expect(copy.data == .ns(name) && copy.cacheFlush && copy.class == .chaos)
    let end = try view.next()
    #expect(end == nil)
  }

  @Test("a message beyond its limit is refused with its true length")
  func limits() throws {
    let long = Message(answers: [.init(name: .root, ttl: 0, data: .txt(.init(String(repeating: "a", count: 977))))])
    #expect(try long.encoded().count == 1004)
    #expect(throws: MessageEncodingError.tooLong(length: 1004)) { try long.encoded(limit: 1000) }
    #expect(throws: MessageEncodingError.tooLong(length: 1004)) { try long.encoded(limit: -1) }
    let huge = ResourceRecord(name: .root, ttl: 0, data: .opaque(.null, Array(repeating: 0, count: 70_000)))
    #expect(throws: MessageEncodingError.tooLong(length: 65536)) { try Message(answers: [huge]).encoded() }
    #expect(huge.data.wire == nil)
    let empty = ResourceRecord(name: .root, ttl: 0, data: .empty(.a))
    #expect(throws: MessageEncodingError.tooManyRecords) {
      try Message(answers: Array(repeating: empty, count: 65536)).encoded()
    }
  }

  @Test("header flags are where RFC 1035 has them")
  func header() {
    var header = MessageHeader()
    #expect(header.isResponse && header.flags == 0x8000)
    header.isAuthoritative = true
    header.isTruncated = true
    header.recursionDesired = true
    header.recursionAvailable = true
    header.isAuthentic = true
    header.checkingDisabled = true
    header.opcode = 5
    header.responseCode = 3
    #expect(header.flags == 0xafb3)
    header.opcode = 0
    header.isResponse = false
    #expect(header.flags == 0x07b3 && header.responseCode == 3)
  }
}
