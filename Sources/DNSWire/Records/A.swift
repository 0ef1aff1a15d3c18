import Addresses

extension RecordData {
  /// Data of an A record (RFC 1035 §3.4.1).
  public struct A: Hashable, Sendable {
    /// The IPv4 address, big-endian: `127.0.0.1` is `0x7f000001`.
    public let address: UInt32

    /// An address from its four bytes, big-endian.
    public init(_ address: UInt32) { self.address = address }

    /// The address as a value of both families.
    public var ipAddress: IPAddress { IPAddress(v4: address) }
  }

  /// An A or AAAA record, as the family of the address asks for.
  public static func address(_ address: IPAddress) -> RecordData {
    if let v4 = address.v4 { return .a(A(v4)) }
    return .aaaa(AAAA(high: address.high, low: address.low))
  }

  /// The address of an A or AAAA record; nil for other types.
  public var ipAddress: IPAddress? {
    switch self {
    case .a(let data): data.ipAddress
    case .aaaa(let data): data.ipAddress
    default: nil
    }
  }
}

extension RecordData.A {
  init(from reader: inout RecordDataReader) throws(MessageError) { address = try reader.readUInt32() }

  func write(to writer: inout MessageWriter) { writer.output.write(address) }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    let field = try fields.next("an IPv4 address")
    guard let v4 = IPAddress(field.text).flatMap(\.v4), !field.text.contains(":") else {
      throw field.error("is not an IPv4 address", hint: "Write four numbers from 0 to 255, for example 192.0.2.1.")
    }
    address = v4
  }

  func presentation(_ names: NameStyle) -> String { ipAddress.description }
}
