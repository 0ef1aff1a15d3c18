import WireFormat

extension RecordData {
  /// The data in zone-file form with all names absolute: `127.0.0.1`, `"hello"`, `1 . alpn="h3"`, `\# 3 abcdef`.
  ///
  /// Types without a form of their own, and data that theirs cannot express, get the one of RFC 3597 §5.
  public var presentation: String { presentation(.absolute) }

  /// The data in zone-file form, names below `origin` relative to it: `@` for the origin itself, `www` for one below.
  public func presentation(relativeTo origin: DomainName) -> String { presentation(NameStyle(origin: origin)) }

  func presentation(_ names: NameStyle) -> String { typedPresentation(names) ?? genericPresentation }

  private func typedPresentation(_ names: NameStyle) -> String? {
    switch self {
    case .a(let data): data.presentation(names)
    case .aaaa(let data): data.presentation(names)
    case .cname(let name), .ns(let name), .ptr(let name), .md(let name), .mf(let name), .mb(let name), .mg(let name),
      .mr(let name), .nsapPTR(let name):
      names.text(name)
    case .txt(let data): data.presentation(names)
    case .svcb(let data), .https(let data): data.presentation(names)
    case .mx(let data), .afsdb(let data), .rt(let data), .kx(let data): data.presentation(names)
    case .srv(let data): data.presentation(names)
    case .soa(let data): data.presentation(names)
    case .caa(let data): data.presentation(names)
    case .naptr(let data): data.presentation(names)
    case .minfo(let data), .rp(let data): data.presentation(names)
    case .opaque(let type, let bytes): OpaqueForm(type)?.text(bytes, names)
    case .empty: nil
    }
  }

  private var genericPresentation: String {
    let bytes = if case .opaque(_, let bytes) = self { bytes } else { wire ?? [] }
    return bytes.isEmpty ? "\\# 0" : "\\# \(bytes.count) \(Hex.encode(bytes))"
  }

  /// Reads the data of a record of type `type` in zone-file form, or in the form of RFC 3597 for any type.
  init(_ type: RecordType, presentation fields: inout FieldReader) throws(FieldError) {
    if let first = fields.peek, first.text == "\\#", !first.isQuoted {
      self = try Self.generic(type, &fields)
      return
    }
    switch type {
    case .a: self = .a(try A(presentation: &fields))
    case .aaaa: self = .aaaa(try AAAA(presentation: &fields))
    case .cname: self = .cname(try fields.nextName("a target name"))
    case .ns: self = .ns(try fields.nextName("the name of a server"))
    case .ptr: self = .ptr(try fields.nextName("a target name"))
    case .txt: self = .txt(try TXT(presentation: &fields))
    case .svcb: self = .svcb(try ServiceBinding(presentation: &fields))
    case .https: self = .https(try ServiceBinding(presentation: &fields))
    case .mx: self = .mx(try PreferredHost(presentation: &fields))
    case .srv: self = .srv(try SRV(presentation: &fields))
    case .soa: self = .soa(try SOA(presentation: &fields))
    case .caa: self = .caa(try CAA(presentation: &fields))
    case .naptr: self = .naptr(try NAPTR(presentation: &fields))
    case .md: self = .md(try fields.nextName("a host name"))
    case .mf: self = .mf(try fields.nextName("a host name"))
    case .mb: self = .mb(try fields.nextName("a host name"))
    case .mg: self = .mg(try fields.nextName("a mailbox name"))
    case .mr: self = .mr(try fields.nextName("a mailbox name"))
    case .nsapPTR: self = .nsapPTR(try fields.nextName("a target name"))
    case .minfo: self = .minfo(try NamePair(presentation: &fields))
    case .rp: self = .rp(try NamePair(presentation: &fields))
    case .afsdb: self = .afsdb(try PreferredHost(presentation: &fields))
    case .rt: self = .rt(try PreferredHost(presentation: &fields))
    case .kx: self = .kx(try PreferredHost(presentation: &fields))
    default: self = try OpaqueForm.read(type, &fields)
    }
  }

  /// `\# length hexadecimal` (RFC 3597 §5).
  private static func generic(_ type: RecordType, _ fields: inout FieldReader) throws(FieldError) -> RecordData {
    let mark = try fields.next("\\#")
    let count: UInt16 = try fields.nextNumber("a number of bytes")
    let bytes = fields.hasMore ? try fields.restAsHex("hexadecimal data") : []
    guard bytes.count == Int(count) else {
      throw mark.error("announces \(count) bytes, but \(bytes.count) follow")
    }
    do throws(MessageError) {
      return try RecordData(type, wire: bytes)
    } catch {
      throw mark.error("is followed by bytes that are not data of \(type): \(error)")
    }
  }
}
