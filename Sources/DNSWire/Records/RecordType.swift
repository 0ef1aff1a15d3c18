/// The type of a resource record or of a question, a 16-bit number (RFC 1035 §3.2.2, IANA registry of DNS parameters).
public struct RecordType: RawRepresentable, Hashable, Sendable {
  /// The number on the wire.
  public let rawValue: UInt16

  /// Any number is a type, known or not.
  @inline(__always)
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  @inline(__always)
  private init(_ rawValue: UInt16) { self.rawValue = rawValue }
}

extension RecordType {
  /// IPv4 address, RFC 1035.
  public static let a = RecordType(1)
  /// Name server, RFC 1035.
  public static let ns = RecordType(2)
  /// Mail destination (obsolete), RFC 1035.
  public static let md = RecordType(3)
  /// Mail forwarder (obsolete), RFC 1035.
  public static let mf = RecordType(4)
  /// Alias, RFC 1035.
  public static let cname = RecordType(5)
  /// Start of authority, RFC 1035.
  public static let soa = RecordType(6)
  /// Mailbox (experimental), RFC 1035.
  public static let mb = RecordType(7)
  /// Mail group member (experimental), RFC 1035.
  public static let mg = RecordType(8)
  /// Mail rename (experimental), RFC 1035.
  public static let mr = RecordType(9)
  /// Anything (experimental), RFC 1035.
  public static let null = RecordType(10)
  /// Well-known services (obsolete), RFC 1035.
  public static let wks = RecordType(11)
  /// Pointer, RFC 1035.
  public static let ptr = RecordType(12)
  /// Host information, RFC 1035.
  public static let hinfo = RecordType(13)
  /// Mailing list information (experimental), RFC 1035.
  public static let minfo = RecordType(14)
  /// Mail exchange, RFC 1035.
  public static let mx = RecordType(15)
  /// Text, RFC 1035.
  public static let txt = RecordType(16)
  /// Responsible person, RFC 1183.
  public static let rp = RecordType(17)
  /// AFS database, RFC 1183.
  public static let afsdb = RecordType(18)
  /// X.25 address, RFC 1183.
  public static let x25 = RecordType(19)
  /// ISDN address, RFC 1183.
  public static let isdn = RecordType(20)
  /// Route through, RFC 1183.
  public static let rt = RecordType(21)
  /// NSAP address, RFC 1706.
  public static let nsap = RecordType(22)
  /// Pointer for NSAP, RFC 1348.
  public static let nsapPTR = RecordType(23)
  /// IPv6 address, RFC 3596.
  public static let aaaa = RecordType(28)
  /// Location, RFC 1876.
  public static let loc = RecordType(29)
  /// Service location, RFC 2782.
  public static let srv = RecordType(33)
  /// Naming authority pointer, RFC 3403.
  public static let naptr = RecordType(35)
  /// Key exchanger, RFC 2230.
  public static let kx = RecordType(36)
  /// Certificate, RFC 4398.
  public static let cert = RecordType(37)
  /// Alias of a subtree, RFC 6672.
  public static let dname = RecordType(39)
  /// EDNS options, RFC 6891.
  public static let opt = RecordType(41)
  /// Delegation signer, RFC 4034.
  public static let ds = RecordType(43)
  /// SSH key fingerprint, RFC 4255.
  public static let sshfp = RecordType(44)
  /// IPsec key, RFC 4025.
  public static let ipseckey = RecordType(45)
  /// Signature, RFC 4034.
  public static let rrsig = RecordType(46)
  /// Next name, RFC 4034.
  public static let nsec = RecordType(47)
  /// Zone key, RFC 4034.
  public static let dnskey = RecordType(48)
  /// DHCP identifier, RFC 4701.
  public static let dhcid = RecordType(49)
  /// Hashed next name, RFC 5155.
  public static let nsec3 = RecordType(50)
  /// TLS certificate association, RFC 6698.
  public static let tlsa = RecordType(52)
  /// S/MIME certificate association, RFC 8162.
  public static let smimea = RecordType(53)
  /// DS for the parent, RFC 7344.
  public static let cds = RecordType(59)
  /// DNSKEY for the parent, RFC 7344.
  public static let cdnskey = RecordType(60)
  /// OpenPGP key, RFC 7929.
  public static let openpgpkey = RecordType(61)
  /// Zone digest, RFC 8976.
  public static let zonemd = RecordType(63)
  /// Service binding, RFC 9460.
  public static let svcb = RecordType(64)
  /// Service binding for HTTPS, RFC 9460.
  public static let https = RecordType(65)
  /// Sender policy (obsolete), RFC 4408.
  public static let spf = RecordType(99)
  /// 48-bit hardware address, RFC 7043.
  public static let eui48 = RecordType(108)
  /// 64-bit hardware address, RFC 7043.
  public static let eui64 = RecordType(109)
  /// Incremental transfer (question only), RFC 1995.
  public static let ixfr = RecordType(251)
  /// Zone transfer (question only), RFC 1035.
  public static let axfr = RecordType(252)
  /// Mailbox records (question only), RFC 1035.
  public static let mailb = RecordType(253)
  /// Mail agents (question only), RFC 1035.
  public static let maila = RecordType(254)
  /// All types (question only), RFC 1035.
  public static let any = RecordType(255)
  /// URI, RFC 7553.
  public static let uri = RecordType(256)
  /// Certification authority authorization, RFC 8659.
  public static let caa = RecordType(257)
}

// MARK: - Text

extension RecordType: LosslessStringConvertible {
  private static let names: [UInt16: String] = [
    1: "A",
    2: "NS",
    3: "MD",
    4: "MF",
    5: "CNAME",
    6: "SOA",
    7: "MB",
    8: "MG",
    9: "MR",
    10: "NULL",
    11: "WKS",
    12: "PTR",
    13: "HINFO",
    14: "MINFO",
    15: "MX",
    16: "TXT",
    17: "RP",
    18: "AFSDB",
    19: "X25",
    20: "ISDN",
    21: "RT",
    22: "NSAP",
    23: "NSAP-PTR",
    28: "AAAA",
    29: "LOC",
    33: "SRV",
    35: "NAPTR",
    36: "KX",
    37: "CERT",
    39: "DNAME",
    41: "OPT",
    43: "DS",
    44: "SSHFP",
    45: "IPSECKEY",
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    49: "DHCID",
    50: "NSEC3",
    52: "TLSA",
    53: "SMIMEA",
    59: "CDS",
    60: "CDNSKEY",
    61: "OPENPGPKEY",
    63: "ZONEMD",
    64: "SVCB",
    65: "HTTPS",
    99: "SPF",
    108: "EUI48",
    109: "EUI64",
    251: "IXFR",
    252: "AXFR",
    253: "MAILB",
    254: "MAILA",
    255: "ANY",
    256: "URI",
    257: "CAA",
  ]
  private static let numbers = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) })

  /// The mnemonic (`A`), or `TYPE65280` where there is none (RFC 3597 §5).
  public var description: String { Self.names[rawValue] ?? "TYPE\(rawValue)" }

  /// True if the type has a mnemonic of its own.
  public var hasMnemonic: Bool { Self.names[rawValue] != nil }

  /// Reads a mnemonic in either case, or `TYPE` and a number; nil for anything else.
  public init?(_ text: String) { self.init(text[...]) }

  /// Reads a mnemonic in either case, or `TYPE` and a number; nil for anything else.
  public init?(_ text: Substring) {
    guard text.utf8.count <= 16, text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    let upper = text.uppercased()
    if let number = Self.numbers[upper] {
      self.init(rawValue: number)
    } else {
      guard upper.hasPrefix("TYPE"), let number = DecimalNumber.parse(upper.dropFirst(4), as: UInt16.self) else {
        return nil
      }
      self.init(rawValue: number)
    }
  }

  /// Types with a mnemonic that can stand in a zone file, in the order of their numbers: for help and suggestions.
  public static var known: [RecordType] {
    names.keys.sorted().filter { !(250...255).contains($0) && $0 != 41 }.map(RecordType.init(rawValue:))
  }
}
