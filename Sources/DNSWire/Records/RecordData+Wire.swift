extension RecordData {
  /// Checks the data of a record without copying anything: the rules of the PKARR reference, which is lenient about
  /// surplus bytes and strict about missing ones. `reader` stands at the start of data that are not empty.
  @inline(__always)
  static func validate(_ type: UInt16, _ reader: inout RecordDataReader) throws(MessageError) {
    switch type {
    case 1: try reader.skip(4)  // A
    case 28: try reader.skip(16)  // AAAA
    case 2, 5, 12: try reader.skipName()  // NS, CNAME, PTR
    case 16: repeat { try reader.skipCharacterString() } while reader.remaining > 0  // TXT
    default: try validateRare(type, &reader)
    }
  }

  private static func validateRare(_ type: UInt16, _ reader: inout RecordDataReader) throws(MessageError) {
    switch type {
    case 64, 65:  // SVCB, HTTPS
      try reader.skip(2)
      try reader.skipName()
      try validateParameters(&reader)
    case 15, 18, 21, 36:  // MX, AFSDB, RT, KX
      try reader.skip(2)
      try reader.skipName()
    case 33:  // SRV
      try reader.skip(6)
      try reader.skipName()
    case 6:  // SOA
      try reader.skipName()
      try reader.skipName()
      try reader.skip(20)
    case 257:  // CAA
      try reader.skip(1)
      try reader.skipCharacterString()
    case 35:  // NAPTR
      try reader.skip(4)
      for _ in 0..<3 { try reader.skipCharacterString() }
      try reader.skipName()
    case 3, 4, 7, 8, 9, 23: try reader.skipName()  // MD, MF, MB, MG, MR, NSAP-PTR
    case 14, 17:  // MINFO, RP
      try reader.skipName()
      try reader.skipName()
    default:
      if let shape = OpaqueShape(type) { try shape.skip(&reader) }
    }
  }

  private static func validateParameters(_ reader: inout RecordDataReader) throws(MessageError) {
    var last = -1
    while reader.remaining > 0 {
      let start = reader.offset
      let key = try reader.readUInt16()
      let length = Int(try reader.readUInt16())
      try reader.skipParameterValue(key, length: length)
      guard Int(key) > last else { throw MessageError(.parameterOrder, at: start) }
      last = Int(key)
    }
  }

  /// Reads the data of a record. `reader` stands at their start; surplus bytes are dropped.
  init(_ type: RecordType, from reader: inout RecordDataReader) throws(MessageError) {
    if reader.remaining == 0, type != .opt {
      self = .empty(type)
      return
    }
    switch type {
    case .a: self = .a(try A(from: &reader))
    case .aaaa: self = .aaaa(try AAAA(from: &reader))
    case .cname: self = .cname(try reader.readName())
    case .ns: self = .ns(try reader.readName())
    case .ptr: self = .ptr(try reader.readName())
    case .txt: self = .txt(try TXT(from: &reader))
    case .svcb: self = .svcb(try ServiceBinding(from: &reader))
    case .https: self = .https(try ServiceBinding(from: &reader))
    case .mx: self = .mx(try PreferredHost(from: &reader))
    case .srv: self = .srv(try SRV(from: &reader))
    case .soa: self = .soa(try SOA(from: &reader))
    case .caa: self = .caa(try CAA(from: &reader))
    case .naptr: self = .naptr(try NAPTR(from: &reader))
    case .md: self = .md(try reader.readName())
    case .mf: self = .mf(try reader.readName())
    case .mb: self = .mb(try reader.readName())
    case .mg: self = .mg(try reader.readName())
    case .mr: self = .mr(try reader.readName())
    case .nsapPTR: self = .nsapPTR(try reader.readName())
    case .minfo: self = .minfo(try NamePair(from: &reader))
    case .rp: self = .rp(try NamePair(from: &reader))
    case .afsdb: self = .afsdb(try PreferredHost(from: &reader))
    case .rt: self = .rt(try PreferredHost(from: &reader))
    case .kx: self = .kx(try PreferredHost(from: &reader))
    default: self = .opaque(type, try OpaqueShape(type)?.canonical(&reader) ?? reader.readRest())
    }
  }

  /// Reads data in uncompressed wire form, as RFC 3597 text or another message holds them. Surplus bytes are dropped,
  /// and data that do not fit the type are refused.
  public init(_ type: RecordType, wire: [UInt8]) throws(MessageError) {
    guard wire.count <= 65535 else { throw MessageError(.recordDataBeyondEnd, at: 65535) }
    let span = wire.span.bytes
    var reader = RecordDataReader(span, from: 0, to: wire.count)
    try self.init(type, from: &reader)
  }

  /// The data in wire form without compression; at most 65535 bytes, nil if they are longer.
  public var wire: [UInt8]? {
    MessageWriter.bytes(upTo: 65535) { writer in
      writer.compresses = false
      withUnsafePointer(to: ResourceRecord(name: .root, ttl: 0, data: self)) {
        _ = ResourceRecord.writeData(of: $0, to: &writer)
      }
    }
  }
}

extension ResourceRecord {
  /// Writes the data of a record, names compressed where the type allows it, and returns the type.
  static func writeData(of record: UnsafePointer<ResourceRecord>, to writer: inout MessageWriter) -> RecordType {
    switch record.pointee.data {
    case .a(let data): data.write(to: &writer)
    case .aaaa(let data): data.write(to: &writer)
    case .cname(let name), .ns(let name), .ptr(let name), .md(let name), .mf(let name), .mb(let name), .mg(let name),
      .mr(let name), .nsapPTR(let name):
      writer.write(name)
    case .txt(let data): data.write(to: &writer)
    case .svcb(let data), .https(let data): data.write(to: &writer)
    case .mx(let data), .afsdb(let data), .rt(let data): data.write(to: &writer, compressed: true)
    case .kx(let data): data.write(to: &writer, compressed: false)
    case .srv(let data): data.write(to: &writer)
    case .soa(let data): data.write(to: &writer)
    case .caa(let data): data.write(to: &writer)
    case .naptr(let data): data.write(to: &writer)
    case .minfo(let data), .rp(let data): data.write(to: &writer)
    case .opaque(_, let bytes): writer.output.write(bytes)
    case .empty: break
    }
    return record.pointee.data.type
  }
}
