/// Type and content of a resource record.
///
/// Every type whose data hold domain names that may be compressed (RFC 1035, RFC 3597 §4) has a case of its own with the
/// names decoded, so copying a record from one message into another is always safe. Data of all other types are
/// kept in ``opaque(_:_:)`` with any compressed name inside written out.
public enum RecordData: Hashable, Sendable {
  /// IPv4 address (RFC 1035).
  case a(A)
  /// IPv6 address (RFC 3596).
  case aaaa(AAAA)
  /// The canonical name of which the owner is an alias (RFC 1035).
  case cname(DomainName)
  /// An authoritative server (RFC 1035).
  case ns(DomainName)
  /// A pointer to another name (RFC 1035).
  case ptr(DomainName)
  /// Text (RFC 1035).
  case txt(TXT)
  /// Service binding (RFC 9460).
  case svcb(ServiceBinding)
  /// Service binding for HTTPS (RFC 9460).
  case https(ServiceBinding)
  /// Mail exchange (RFC 1035).
  case mx(PreferredHost)
  /// Service location (RFC 2782).
  case srv(SRV)
  /// Start of authority (RFC 1035).
  case soa(SOA)
  /// Certification authority authorization (RFC 8659).
  case caa(CAA)
  /// Naming authority pointer (RFC 3403).
  case naptr(NAPTR)
  /// Mail destination, obsolete (RFC 1035).
  case md(DomainName)
  /// Mail forwarder, obsolete (RFC 1035).
  case mf(DomainName)
  /// Mailbox, experimental (RFC 1035).
  case mb(DomainName)
  /// Mail group member, experimental (RFC 1035).
  case mg(DomainName)
  /// Mail rename, experimental (RFC 1035).
  case mr(DomainName)
  /// Pointer for NSAP addresses (RFC 1348).
  case nsapPTR(DomainName)
  /// Mailing list information, experimental (RFC 1035): the responsible mailbox, then the one for errors.
  case minfo(NamePair)
  /// Responsible person (RFC 1183): the mailbox, then the name of a TXT record.
  case rp(NamePair)
  /// AFS database (RFC 1183): subtype and host.
  case afsdb(PreferredHost)
  /// Route through (RFC 1183).
  case rt(PreferredHost)
  /// Key exchanger (RFC 2230).
  case kx(PreferredHost)
  /// Any other type: its data as on the wire, without compressed names.
  case opaque(RecordType, [UInt8])
  /// Data of length zero, which is allowed for any type.
  case empty(RecordType)

  /// The type of the record.
  public var type: RecordType {
    switch self {
    case .a: .a
    case .aaaa: .aaaa
    case .cname: .cname
    case .ns: .ns
    case .ptr: .ptr
    case .txt: .txt
    case .svcb: .svcb
    case .https: .https
    case .mx: .mx
    case .srv: .srv
    case .soa: .soa
    case .caa: .caa
    case .naptr: .naptr
    case .md: .md
    case .mf: .mf
    case .mb: .mb
    case .mg: .mg
    case .mr: .mr
    case .nsapPTR: .nsapPTR
    case .minfo: .minfo
    case .rp: .rp
    case .afsdb: .afsdb
    case .rt: .rt
    case .kx: .kx
    case .opaque(let type, _), .empty(let type): type
    }
  }
}
