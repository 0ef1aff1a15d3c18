import DNSWire
import WireFormat

/// A query that the server asks itself, for those who do not speak DNS.
struct WireQuery {
  var name: DomainName
  var type: RecordType
  var recursionDesired = true
  var checkingDisabled = false
  var wantsSignatures = false

  init(_ name: DomainName, _ type: RecordType) {
    self.name = name
    self.type = type
  }

  /// The message, with identifier 0 and an OPT record, without which answers could not say why.
  var bytes: [UInt8] {
    var header = MessageHeader(id: 0, flags: 0)
    header.recursionDesired = recursionDesired
    header.checkingDisabled = checkingDisabled
    // The longest name and 27 bytes.
    return [UInt8](upTo: 512) { writer in
      writer.write(header.id)
      writer.write(header.flags)
      for count in [1, 0, 0, 1] { writer.write(UInt16(count)) }
      writer.write(name.wire)
      writer.write(type.rawValue)
      writer.write(RecordClass.internet.rawValue)
      writer.write(UInt8(0))
      writer.write(RecordType.opt.rawValue)
      writer.write(UInt16(1232))
      writer.write(UInt32(wantsSignatures ? 0x8000 : 0))
      writer.write(UInt16(0))
    } ?? []
  }
}
