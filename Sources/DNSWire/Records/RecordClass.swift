/// The class of a resource record or of a question, a 16-bit number (RFC 1035 §3.2.4).
public struct RecordClass: RawRepresentable, Hashable, Sendable {
  /// The number on the wire, without the top bit that mDNS uses as a flag. In an OPT record, the UDP payload size.
  public let rawValue: UInt16

  /// Any number can be carried; records of unknown class are refused when a message is parsed.
  @inline(__always)
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// `IN`, the internet: the class of everything in PKARR.
  public static let internet = RecordClass(rawValue: 1)
  /// `CS`, obsolete.
  public static let csnet = RecordClass(rawValue: 2)
  /// `CH`, used for server diagnostics.
  public static let chaos = RecordClass(rawValue: 3)
  /// `HS`.
  public static let hesiod = RecordClass(rawValue: 4)
  /// `NONE`, of dynamic updates (RFC 2136).
  public static let none = RecordClass(rawValue: 254)
  /// `ANY`, in questions only.
  public static let any = RecordClass(rawValue: 255)
}

extension RecordClass: LosslessStringConvertible {
  private static let names: [(UInt16, String)] = [
    (1, "IN"), (2, "CS"), (3, "CH"), (4, "HS"), (254, "NONE"), (255, "ANY"),
  ]

  /// The mnemonic (`IN`), or `CLASS42` where there is none (RFC 3597 §5).
  public var description: String { Self.names.first { $0.0 == rawValue }?.1 ?? "CLASS\(rawValue)" }

  /// Reads a mnemonic in either case, or `CLASS` and a number; nil for anything else.
  public init?(_ text: String) {
    guard text.utf8.count <= 10, text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    let upper = text.uppercased()
    if let known = Self.names.first(where: { $0.1 == upper }) {
      self.init(rawValue: known.0)
    } else {
      guard upper.hasPrefix("CLASS"), let number = DecimalNumber.parse(upper.dropFirst(5), as: UInt16.self) else {
        return nil
      }
      self.init(rawValue: number)
    }
  }
}
