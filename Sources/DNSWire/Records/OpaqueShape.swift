/// What is known about the data of types that are kept as bytes: enough to refuse what the PKARR reference refuses, and
/// to write out a name that a hostile writer has compressed.
enum OpaqueShape {
  /// At least this many bytes, then anything, which is kept.
  case atLeast(Int)
  /// This many bytes; surplus is dropped.
  case exactly(Int)
  /// LOC: sixteen bytes, the first of which (the version) is 0 (RFC 1876).
  case location
  /// Two character-strings: HINFO, ISDN.
  case twoStrings
  /// EDNS options: code, length, bytes (RFC 6891 §6.1.2).
  case options
  /// This many bytes, a name, and the rest: RRSIG.
  case nameAfter(Int)
  /// A name, then type bitmaps in ascending windows (RFC 4034 §4.1).
  case nextName
  /// IPSECKEY: the gateway may be an address or a name (RFC 4025 §2).
  case gateway

  /// Nil for types about whose data nothing is known.
  init?(_ type: UInt16) {
    switch type {
    case 11, 37: self = .atLeast(5)  // WKS, CERT
    case 13, 20: self = .twoStrings
    case 22: self = .exactly(20)  // NSAP
    case 29: self = .location
    case 41: self = .options
    case 43, 48: self = .atLeast(4)  // DS, DNSKEY
    case 45: self = .gateway
    case 46: self = .nameAfter(18)
    case 47: self = .nextName
    case 49: self = .atLeast(3)  // DHCID
    case 63: self = .atLeast(6)  // ZONEMD
    case 108: self = .exactly(6)  // EUI48
    case 109: self = .exactly(8)  // EUI64
    default: return nil
    }
  }

  init?(_ type: RecordType) { self.init(type.rawValue) }
}

extension OpaqueShape {
  /// Checks the data and moves `reader` behind what is kept of them.
  func skip(_ reader: inout RecordDataReader) throws(MessageError) {
    switch self {
    case .atLeast(let count):
      try reader.skip(count)
      try reader.skip(reader.remaining)
    case .exactly(let count): try reader.skip(count)
    case .location:
      let start = reader.offset
      guard try reader.readUInt8() == 0 else { throw MessageError(.badRecordData, at: start) }
      try reader.skip(15)
    case .twoStrings:
      try reader.skipCharacterString()
      try reader.skipCharacterString()
    case .options:
      while reader.remaining > 0 {
        try reader.skip(2)
        try reader.skip(Int(try reader.readUInt16()))
      }
    case .nameAfter, .nextName, .gateway:
      if try skipToName(&reader) { try reader.skipName() }
      try skipAfterName(&reader)
    }
  }

  /// The data as they are kept: without surplus, and with the name inside uncompressed.
  func canonical(_ reader: inout RecordDataReader) throws(MessageError) -> [UInt8] {
    let start = reader.offset
    switch self {
    case .nameAfter, .nextName, .gateway:
      let hasName = try skipToName(&reader)
      var bytes = reader.bytes(from: start)
      if hasName { bytes += try reader.readName().wire }
      let rest = reader.offset
      try skipAfterName(&reader)
      return bytes + reader.bytes(from: rest)
    default:
      try skip(&reader)
      return reader.bytes(from: start)
    }
  }

  /// Skips what stands before the name; false if there is none.
  private func skipToName(_ reader: inout RecordDataReader) throws(MessageError) -> Bool {
    switch self {
    case .nameAfter(let count):
      try reader.skip(count)
      return true
    case .gateway:
      try reader.skip(1)
      let kind = try reader.readUInt8()
      try reader.skip(1)
      switch kind {
      case 0: return false
      case 1: try reader.skip(4)
      case 2: try reader.skip(16)
      case 3: return true
      default: throw MessageError(.badRecordData, at: reader.offset)
      }
      return false
    default: return true
    }
  }

  private func skipAfterName(_ reader: inout RecordDataReader) throws(MessageError) {
    guard case .nextName = self else { return try reader.skip(reader.remaining) }
    var last = -1
    while reader.remaining > 0 {
      let start = reader.offset
      let window = Int(try reader.readUInt8())
      let length = Int(try reader.readUInt8())
      guard window > last, length <= 32 else { throw MessageError(.badRecordData, at: start) }
      try reader.skip(length)
      last = window
    }
  }
}
