import DNSWire
import TestSupport
import Testing
import WireFormat

@Suite struct VectorTests {
  struct ParseVectors: Decodable {
    struct Case: Decodable {
      let id: String
      let dnsPacket: HexBytes
      let result: String
      let answers: Int?

      enum CodingKeys: String, CodingKey {
        case id, result, answers
        case dnsPacket = "dns_packet_hex"
      }
    }
    let cases: [Case]
  }

  @Test("messages are accepted and refused as by the PKARR reference, by walk and by parse")
  func parsing() throws {
    let cases = try Vectors.load("pkarr/dns_parse.json", as: ParseVectors.self).cases
    #expect(cases.count == 56)
    for vector in cases {
      let bytes = vector.dnsPacket.bytes
      let walk = Result { try MessageView.validate(bytes.span.bytes) }
      let message = Result { try Message(parsing: bytes) }
      switch vector.result {
      case "ok":
        #expect(throws: Never.self, "\(vector.id)") { try walk.get() }
        #expect(try message.get().answers.count == vector.answers, "\(vector.id)")
      case "error":
        #expect(throws: MessageError.self, "\(vector.id)") { try walk.get() }
        #expect(throws: MessageError.self, "\(vector.id)") { try message.get() }
      default: Issue.record("unknown result in \(vector.id)")
      }
    }
  }

  struct NameVectors: Decodable {
    struct Checked: Decodable {
      struct Case: Decodable {
        let input: String
        let result: String
        let text: String?
        let labels: Int?
      }
      let cases: [Case]
    }
    let checked: Checked

    enum CodingKeys: String, CodingKey { case checked = "checked_name" }
  }

  @Test("names are checked as by the PKARR reference")
  func checkedNames() throws {
    let cases = try Vectors.load("pkarr/names.json", as: NameVectors.self).checked.cases
    #expect(cases.count == 24)
    for vector in cases {
      let name = Result { try DomainName(checked: vector.input) }
      if vector.result == "ok" {
        #expect(try name.get().text == vector.text, "\(vector.input)")
        #expect(try Array(name.get().labels).count == vector.labels, "\(vector.input)")
      } else {
        #expect(throws: DomainNameError.self, "\(vector.input)") { try name.get() }
      }
    }
  }

  struct SignedVectors: Decodable {
    struct Packet: Decodable {
      let id: String
      let dnsPacket: HexBytes

      enum CodingKeys: String, CodingKey {
        case id
        case dnsPacket = "dns_packet_hex"
      }
    }
    let packets: [Packet]
  }

  struct GeneratedVectors: Decodable {
    struct Packet: Decodable {
      let id: Int
      let dnsPacket: HexBytes

      enum CodingKeys: String, CodingKey {
        case id
        case dnsPacket = "dns_packet_hex"
      }
    }
    let vectors: [Packet]
  }

  @Test("packets of the PKARR reference are the same bytes after parsing and writing them again")
  func writing() throws {
    var packets = try Vectors.load("pkarr/signed_packets.json", as: SignedVectors.self).packets
      .map { ($0.id, $0.dnsPacket.bytes) }
    packets += try Vectors.load("pkarr/rust-generated.json", as: GeneratedVectors.self).vectors
      .map { ("\($0.id)", $0.dnsPacket.bytes) }
    #expect(packets.count == 59)
    for (id, bytes) in packets {
      let message = try Message(parsing: bytes)
      #expect(try message.encoded() == bytes, "\(id)")
      #expect(throws: MessageEncodingError.tooLong(length: bytes.count), "\(id)") {
        try message.encoded(limit: bytes.count - 1)
      }
    }
  }
}
