import DNSWire
import Testing

@Suite struct PropertyTests {
  @Test("any message is the same after encoding and parsing it")
  func messages() throws {
    var records = 0
    for seed in 0..<400 {
      var generator = RecordGenerator(seed: UInt64(seed), origin: apex)
      func section(_ counts: ClosedRange<Int>) -> [ResourceRecord] {
        (0..<Int.random(in: counts, using: &generator.random)).map { _ in generator.record() }
          .filter { $0.type != .opt }
      }
      var message = Message(
        header: .init(id: 7, flags: 0x8180), answers: section(0...20), authorities: section(0...2),
        additionals: section(0...2))
      if seed % 3 == 0 { message.questions = [.init(name: generator.name(), type: .any, class: .any)] }
      if seed % 4 == 0 {
        message.options = .init(
          name: .root, class: .init(rawValue: 1232), ttl: 0x8000, data: .opaque(.opt, [0, 10, 0, 1, 9]))
      }
      let bytes = try message.encoded()
      #expect(try Message(parsing: bytes) == message, "seed \(seed)")
      #expect(throws: Never.self, "seed \(seed)") { try MessageView.validate(bytes.span.bytes) }
      records += message.answers.count
    }
    #expect(records > 3000)
  }

  @Test("any records are the same after writing them as a zone file and reading it")
  func zones() throws {
    var read = 0
    for seed in 0..<300 {
      var generator = RecordGenerator(seed: UInt64(seed) + 1000, origin: apex)
      var names: Set<DomainName> = []
      // A name with a CNAME holds nothing else, so each name is used once.
      let records = (0..<20).map { _ in generator.record() }.filter { names.insert($0.name).inserted }
      let text = ZoneFile.text(for: records, origin: apex)
      let zone = try ZoneFile.parse(text, origin: apex, keepsSOA: true)
      #expect(zone.records.map(\.record) == records, "seed \(seed)")
      #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) || $0 == 0x0a })
      read += zone.records.count
    }
    #expect(read > 3000)
  }

  @Test("damaged messages never do harm, and walk and parse agree on them")
  func damagedMessages() throws {
    var accepted = 0
    var refused = 0
    for seed in 0..<300 {
      var generator = RecordGenerator(seed: UInt64(seed) + 5000, origin: apex)
      let records = (0..<6).map { _ in generator.record() }
      let original = try Message(answers: records).encoded()
      for _ in 0..<40 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator.random) {
          let index = Int.random(in: 0..<bytes.count, using: &generator.random)
          switch Int.random(in: 0..<5, using: &generator.random) {
          case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator.random)
          case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator.random)
          case 2: bytes[index] = 0xc0
          case 3: bytes.removeLast(min(bytes.count - 1, Int.random(in: 0...9, using: &generator.random)))
          default: bytes.insert(0, at: index)
          }
        }
        let walk = Result { try MessageView.validate(bytes.span.bytes) }
        let parse = Result { try Message(parsing: bytes) }
        switch (walk, parse) {
        case (.success, .success(let message)):
          accepted += 1
          // What was accepted can be shown, and written again to mean the same.
          _ = ZoneFile.text(for: message.answers, origin: apex)
          #expect(try Message(parsing: message.encoded()) == message)
        case (.failure, .failure): refused += 1
        default: Issue.record("walk and parse disagree on \(bytes)")
        }
      }
    }
    #expect(accepted > 1000 && refused > 1000)
  }

  @Test("damaged zone files never do harm, and an error shows the line that it names")
  func damagedZones() throws {
    let pieces = [
      "(", ")", "\"", ";", "\\", "\n", " ", "\t", "@", "$TTL", "$ORIGIN", "1h", "IN", "\\#", "TYPE1", "=", ",", ".",
      "\u{0}",
      "é", "\r\n", "\\300", "99999999999999999999",
    ]
    var accepted = 0
    var refused = 0
    for seed in 0..<150 {
      var generator = RecordGenerator(seed: UInt64(seed) + 9000, origin: apex)
      let original = ZoneFile.text(for: (0..<4).map { _ in generator.record() }, origin: apex)
      for _ in 0..<20 {
        var text = Array(original)
        for _ in 0..<Int.random(in: 1...3, using: &generator.random) {
          let index = Int.random(in: 0...text.count, using: &generator.random)
          let piece = pieces.randomElement(using: &generator.random)!
          if Bool.random(using: &generator.random) { text.insert(contentsOf: piece, at: index) }
          if index < text.count, Bool.random(using: &generator.random) { text.remove(at: index) }
        }
        do throws(ZoneFileError) {
          _ = try ZoneFile.parse(String(text), origin: apex, keepsSOA: true)
          accepted += 1
        } catch {
          refused += 1
          #expect(error.line >= 1 && error.column >= 1 && !error.message.isEmpty)
          #expect(error.report(file: "zone").split(separator: "\n").count >= 2)
        }
      }
    }
    #expect(accepted > 200 && refused > 200)
  }
}
