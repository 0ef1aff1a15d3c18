import Addresses
import CPeers
import DNSWire

/// DNS messages against libknot.
enum DNSRows {
  /// Six records of a kind that people publish, at one key.
  static let message: Message = {
    do {
      let apex = try DomainName("8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo")
      func at(_ label: String) throws -> DomainName { try DomainName("\(label).\(apex)") }
      var service = ServiceBinding(priority: 1, target: .root)
      service.setPort(8080)
      let data: [(DomainName, RecordData)] = [
        (apex, .address(IPAddress(192, 0, 2, 1))),
        (apex, .address(IPAddress(high: 0x2001_0db8_0000_0000, low: 1))),
        (try at("_pubky"), .https(service)),
        (try at("_foo"), .txt(RecordData.TXT("hello=world"))),
        (try at("_foo"), .txt(RecordData.TXT("v=pkarr1 k=abcdefghi"))),
        (try at("www"), .cname(try DomainName("example.com"))),
      ]
      return Message(answers: data.map { ResourceRecord(name: $0, ttl: 300, data: $1) })
    } catch {
      fatalError("the example does not build: \(error)")
    }
  }()

  static func rows() throws -> [Row] {
    let answers = message.answers
    let header = message.header
    let bytes = try message.encoded()
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = copy.initialize(from: bytes)
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 16)
    guard knot_prepare(bytes, bytes.count) == 0, knot_walk(copy.baseAddress, copy.count) == 6,
      knot_write(2048) > bytes.count
    else { fatalError("libknot does not read the example") }
    let times = medianNanoseconds(of: [
      Work("walk") {
        var view = try! MessageView(bytes.span.bytes)
        while let record = try! view.next() { sink &+= record.data.count }
      },
      Work("libknot parse") { sink &+= Int(knot_walk(copy.baseAddress, copy.count)) },
      Work("own records") { sink &+= (try! Message(parsing: bytes)).answers.count },
      Work("write") {
        var writer = MessageWriter(output)
        writer.writeHeader(header, answers: answers.count)
        writer.write(answers)
        sink &+= writer.output.count
      },
      Work("libknot write") { sink &+= Int(knot_write(2048)) },
    ])
    return [
      Row(
        name: "DNS walk, \(bytes.count) bytes, 6 records", measured: times[0], unit: "ns",
        peer: ("libknot parse", times[1]), target: .ratio(atMost: 0.15)),
      Row(
        name: "DNS parse into records of their own", measured: times[2], unit: "ns", peer: ("libknot parse", times[1])),
      Row(
        name: "DNS write with compression", measured: times[3], unit: "ns",
        peer: ("libknot, uncompressed", times[4]), target: .ratio(atMost: 1.1)),
    ]
  }
}
