import Addresses

extension RecordData {
  /// Data of an AAAA record (RFC 3596 §2.2).
  public struct AAAA: Hashable, Sendable {
    /// The first eight bytes, big-endian.
    public let high: UInt64
    /// The last eight bytes, big-endian.
    public let low: UInt64

    /// An address from its two halves.
    public init(high: UInt64, low: UInt64) {
      self.high = high
      self.low = low
    }

    /// The address as a value of both families; an IPv4-mapped one counts as IPv4 there.
    public var ipAddress: IPAddress { IPAddress(high: high, low: low) }
  }
}

extension RecordData.AAAA {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    high = try reader.readUInt64()
    low = try reader.readUInt64()
  }

  func write(to writer: inout MessageWriter) {
    writer.output.write(high)
    writer.output.write(low)
  }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    let field = try fields.next("an IPv6 address")
    guard field.text.contains(":"), let address = IPAddress(field.text) else {
      throw field.error("is not an IPv6 address", hint: "Write it like 2001:db8::1, without brackets.")
    }
    self.init(high: address.high, low: address.low)
  }

  /// RFC 5952 text; an IPv4-mapped address keeps its IPv6 form so that reading it again gives the same record.
  func presentation(_ names: NameStyle) -> String { ipAddress.isIPv4 ? "::ffff:\(ipAddress)" : ipAddress.description }
}
