/// The twelve bytes at the start of a message (RFC 1035 §4.1.1), without the counts.
public struct MessageHeader: Hashable, Sendable {
  /// Identifier that a response repeats.
  public var id: UInt16
  /// The flag word: QR, opcode, AA, TC, RD, RA, Z, AD, CD and rcode, from the top bit down.
  public var flags: UInt16

  /// Number of bytes on the wire, the four counts included.
  public static let length = 12

  /// Makes a header; by default that of a PKARR packet: id 0, QR set and nothing else.
  public init(id: UInt16 = 0, flags: UInt16 = 0x8000) {
    self.id = id
    self.flags = flags
  }

  /// QR: a response, not a query.
  public var isResponse: Bool {
    get { self[0x8000] }
    set { self[0x8000] = newValue }
  }
  /// AA: the answer comes from an authority.
  public var isAuthoritative: Bool {
    get { self[0x0400] }
    set { self[0x0400] = newValue }
  }
  /// TC: the message was cut.
  public var isTruncated: Bool {
    get { self[0x0200] }
    set { self[0x0200] = newValue }
  }
  /// RD: the server should ask others.
  public var recursionDesired: Bool {
    get { self[0x0100] }
    set { self[0x0100] = newValue }
  }
  /// RA: the server would ask others.
  public var recursionAvailable: Bool {
    get { self[0x0080] }
    set { self[0x0080] = newValue }
  }
  /// AD: the data were authenticated (RFC 4035).
  public var isAuthentic: Bool {
    get { self[0x0020] }
    set { self[0x0020] = newValue }
  }
  /// CD: the client does not want them checked (RFC 4035).
  public var checkingDisabled: Bool {
    get { self[0x0010] }
    set { self[0x0010] = newValue }
  }
  /// What kind of query this is, 0 to 15.
  public var opcode: UInt8 {
    get { UInt8(flags >> 11 & 15) }
    set { flags = flags & ~0x7800 | UInt16(newValue & 15) << 11 }
  }
  /// The lower four bits of the response code.
  public var responseCode: UInt8 {
    get { UInt8(flags & 15) }
    set { flags = flags & ~15 | UInt16(newValue & 15) }
  }

  private subscript(mask: UInt16) -> Bool {
    get { flags & mask != 0 }
    set { flags = newValue ? flags | mask : flags & ~mask }
  }
}
