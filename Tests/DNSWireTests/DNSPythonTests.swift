import DNSWire
import Foundation
import TestSupport
import Testing
import WireFormat

/// What the script `dnspython_peer.py` reads and writes.
private enum Peer {
  struct Record: Codable {
    var name: HexText
    var type: UInt16
    var `class`: UInt16?
    var ttl: UInt32
    var data: HexText
    var text: String?

    init(_ record: ResourceRecord) throws {
      name = HexText(bytes: record.name.wire)
      type = record.type.rawValue
      ttl = record.ttl
      data = HexText(bytes: try #require(record.data.wire))
    }
  }

  struct HexText: Codable, Hashable {
    var bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    init(from decoder: any Decoder) throws { bytes = try HexBytes(from: decoder).bytes }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(Hex.encode(bytes))
    }
  }

  struct Text: Codable {
    var type: String
    var text: String
  }

  struct Work: Encodable {
    var parse: [HexText] = []
    var build: [[Record]] = []
    var texts: [Text] = []
  }

  struct Answer: Decodable {
    struct Parsed: Decodable {
      let records: [Record]?
      let error: String?
    }
    struct Built: Decodable {
      let message: HexText?
      let error: String?
    }
    struct Read: Decodable {
      let data: HexText?
      let error: String?
    }
    let parse: [Parsed]
    let build: [Built]
    let texts: [Read]
  }

  /// True if Debian's Python has dnspython.
  static let isAvailable: Bool = (try? run(["-c", "import dns"])) == 0

  static func run(_ arguments: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/python3")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }

  static func ask(_ work: Work) throws -> Answer {
    let folder = FileManager.default.temporaryDirectory.appending(path: "dnspython-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let input = folder.appending(path: "input.json")
    let output = folder.appending(path: "output.json")
    try JSONEncoder().encode(work).write(to: input)
    #expect(try run([Peers.path("dnspython_peer.py"), input.path, output.path]) == 0)
    return try JSONDecoder().decode(Answer.self, from: Data(contentsOf: output))
  }
}

@Suite(.enabled(if: Peer.isAvailable, "needs python3-dnspython"))
struct DNSPythonTests {
  /// Made anew for each test: records that live until the end of the process look like leaks to the leak sanitizer, which
  /// does not follow the pointers inside of enumerations.
  private let packets: [[ResourceRecord]] = (0..<1000).map { seed in
    var generator = RecordGenerator(seed: UInt64(seed) + 20_000, origin: apex, isTame: true)
    return (0..<Int.random(in: 1...8, using: &generator.random)).map { _ in generator.record() }
  }

  @Test("dnspython reads from our messages the records that were put in")
  func ourMessages() throws {
    let messages = try packets.map { try Message(answers: $0).encoded() }
    let answer = try Peer.ask(.init(parse: messages.map { .init(bytes: $0) }))
    #expect(answer.parse.count == 1000)
    for (records, parsed) in zip(packets, answer.parse) {
      let theirs = try #require(parsed.records, "\(parsed.error ?? "")")
      #expect(theirs.count == records.count)
      for (their, our) in zip(theirs, records) {
        #expect(their.name.bytes == our.name.wire && their.type == our.type.rawValue && their.ttl == our.ttl)
        #expect(their.class == 1)
        #expect(their.data.bytes == our.data.wire, "\(our)")
      }
    }
  }

  @Test("we read from dnspython's messages the records that were put in")
  func theirMessages() throws {
    let answer = try Peer.ask(.init(build: packets.map { try $0.map(Peer.Record.init) }))
    #expect(answer.build.count == 1000)
    for (records, built) in zip(packets, answer.build) {
      let bytes = try #require(built.message?.bytes, "\(built.error ?? "")")
      #expect(try Message(parsing: bytes).answers == records)
    }
  }

  @Test("text forms mean the same to dnspython and to us, in both directions")
  func texts() throws {
    let records = packets.flatMap { $0 }
    let messages = try packets.map { try Message(answers: $0).encoded() }
    let answer = try Peer.ask(
      .init(
        parse: messages.map { .init(bytes: $0) },
        texts: records.map { .init(type: "\($0.type)", text: $0.data.presentation) }))
    #expect(answer.texts.count == records.count && records.count > 3000)
    for (record, read) in zip(records, answer.texts) {
      let data = try #require(read.data, "\(record): \(read.error ?? "")")
      #expect(data.bytes == record.data.wire, "\(record)")
    }
    let theirs = answer.parse.flatMap { $0.records ?? [] }
    #expect(theirs.count == records.count)
    for (record, their) in zip(records, theirs) {
      let zone = "@ \(record.type) \(try #require(their.text))"
      #expect(
        try ZoneFile.parse(zone, origin: apex, keepsSOA: true).records.first?.record.data == record.data, "\(zone)")
    }
  }
}
