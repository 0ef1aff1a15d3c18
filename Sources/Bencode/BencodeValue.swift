import WireFormat

/// A bencoded value as a tree (BEP 3): for people and tests. Datagrams are read with ``BencodeScanner``.
public indirect enum BencodeValue: Hashable, Sendable {
  case integer(Int64)
  case string([UInt8])
  case list([BencodeValue])
  case dictionary([[UInt8]: BencodeValue])

  /// Reads one canonical value and nothing behind.
  ///
  /// - Throws: `BencodeError` with the offset at which something is wrong; integers must fit 64 bits.
  public init(_ bytes: RawSpan) throws(BencodeError) {
    try CanonicalBencode.check(bytes)
    var position = 0
    self = try Self.read(bytes, &position)
  }

  /// Reads one canonical value and nothing behind.
  ///
  /// - Throws: `BencodeError` with the offset at which something is wrong; integers must fit 64 bits.
  public init(_ bytes: [UInt8]) throws(BencodeError) { try self.init(bytes.span.bytes) }

  /// Recursion is bounded: `CanonicalBencode.check` has refused what is nested deeper than its limit.
  private static func read(_ bytes: RawSpan, _ position: inout Int) throws(BencodeError) -> BencodeValue {
    func byte(_ offset: Int) -> UInt8 { bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
    func number(until end: UInt8) throws(BencodeError) -> Int64 {
      let start = position
      while byte(position) != end { position += 1 }
      let digits = bytes.extracting(start..<position).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
      position += 1
      guard let value = Int64(digits) else { throw BencodeError(.integerTooLarge, at: start) }
      return value
    }
    func string() throws(BencodeError) -> [UInt8] {
      let length = Int(try number(until: UInt8(ascii: ":")))
      defer { position += length }
      return [UInt8](bytes.extracting(position..<position + length))
    }
    switch byte(position) {
    case UInt8(ascii: "i"):
      position += 1
      return .integer(try number(until: UInt8(ascii: "e")))
    case UInt8(ascii: "l"):
      position += 1
      var list: [BencodeValue] = []
      while byte(position) != UInt8(ascii: "e") { list.append(try read(bytes, &position)) }
      position += 1
      return .list(list)
    case UInt8(ascii: "d"):
      position += 1
      var dictionary: [[UInt8]: BencodeValue] = [:]
      while byte(position) != UInt8(ascii: "e") {
        let key = try string()
        dictionary[key] = try read(bytes, &position)
      }
      position += 1
      return .dictionary(dictionary)
    default: return .string(try string())
    }
  }

  /// The canonical bytes.
  public var encoded: [UInt8] {
    switch self {
    case .integer(let value): return Array("i\(value)e".utf8)
    case .string(let bytes): return Array("\(bytes.count):".utf8) + bytes
    case .list(let values): return Array("l".utf8) + values.flatMap(\.encoded) + Array("e".utf8)
    case .dictionary(let values):
      let pairs = values.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      return Array("d".utf8) + pairs.flatMap { Self.string($0.key).encoded + $0.value.encoded } + Array("e".utf8)
    }
  }
}
