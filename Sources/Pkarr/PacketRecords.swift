import Addresses

// The records of a packet as one writes them down: `A("www", "203.0.113.7", ttl: .hours(1))`. Names are relative to the
// key, `@` is the apex; without a time to live it is five minutes, the least that caches keep a packet for.

/// A record of any type, class `IN`.
public struct Record: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// A record of data that are at hand.
  public init(_ name: String, _ data: RecordData, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(name: .text(name), ttl: ttl, content: .data(data))
  }
}

/// The IPv4 address of a name.
public struct A: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// An address in dotted decimal.
  public init(_ name: String, _ address: String, ttl: TimeToLive = .minutes(5)) {
    // The text of a mapped IPv6 address would do as well, but it is not what belongs here.
    let v4 = address.utf8.contains(UInt8(ascii: ":")) ? nil : IPAddress(address)
    draft = RecordDraft(
      name: .text(name), ttl: ttl, content: v4.map { .data(.address($0)) } ?? .faulty(.a, .notAnAddress(address)))
  }

  /// An IPv4 address.
  public init(_ name: String, _ address: IPAddress, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: address.isIPv4 ? .data(.address(address)) : .faulty(.a, .notAnAddress("\(address)")))
  }
}

/// The IPv6 address of a name.
public struct AAAA: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// An address in the text form of RFC 4291.
  public init(_ name: String, _ address: String, ttl: TimeToLive = .minutes(5)) {
    let v6 = address.utf8.contains(UInt8(ascii: ":")) ? IPAddress(address) : nil
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: v6.map { .data(.aaaa(.init(high: $0.high, low: $0.low))) } ?? .faulty(.aaaa, .notAnAddress(address)))
  }

  /// An IPv6 address.
  public init(_ name: String, _ address: IPAddress, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: address.isIPv4 ? .faulty(.aaaa, .notAnAddress("\(address)")) : .data(.address(address)))
  }
}

/// A name that stands for another one.
public struct CNAME: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// An alias of `target`, an absolute name.
  public init(_ name: String, _ target: String, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(name: .text(name), ttl: ttl, content: .pointing(.cname, to: target) { .cname($0) })
  }
}

/// A server that is the authority for a name.
public struct NS: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// A server by its absolute name.
  public init(_ name: String, _ server: String, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(name: .text(name), ttl: ttl, content: .pointing(.ns, to: server) { .ns($0) })
  }
}

/// A server that takes mail for a name.
public struct MX: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// A server by its absolute name; of several the one with the lowest preference is tried first.
  public init(_ name: String, preference: UInt16, _ server: String, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: .pointing(.mx, to: server) { .mx(.init(preference: preference, host: $0)) })
  }
}

/// Where a service runs.
public struct SRV: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// A host by its absolute name, and a port; the lowest priority first, among equal ones by weight (RFC 2782).
  public init(
    _ name: String, priority: UInt16 = 0, weight: UInt16 = 0, port: UInt16, _ target: String,
    ttl: TimeToLive = .minutes(5)
  ) {
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: .pointing(.srv, to: target) {
        .srv(.init(priority: priority, weight: weight, port: port, target: $0))
      })
  }
}

/// Text.
public struct TXT: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// A text of any length, cut into strings of 254 bytes.
  public init(_ name: String, _ text: String, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(name: .text(name), ttl: ttl, content: .data(.txt(RecordData.TXT(text))))
  }

  /// Strings as given, each at most 255 bytes.
  public init(_ name: String, strings: [String], ttl: TimeToLive = .minutes(5)) {
    let bytes = strings.map { Array($0.utf8) }
    let longest = bytes.map(\.count).max() ?? 0
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: RecordData.TXT(strings: bytes).map { .data(.txt($0)) } ?? .faulty(.txt, .stringTooLong(longest)))
  }
}

/// How an HTTPS server is reached (RFC 9460).
public struct HTTPS: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// A server at `target` (`.` for the name itself).
  public init(
    _ name: String, priority: UInt16 = 1, target: String = ".", port: UInt16? = nil, alpn: [String] = [],
    hints: [IPAddress] = [], ttl: TimeToLive = .minutes(5)
  ) {
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: .binding(.https, priority, target, port, alpn, hints) { .https($0) })
  }

  /// A binding that is at hand.
  public init(_ name: String, _ binding: ServiceBinding, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(name: .text(name), ttl: ttl, content: .data(.https(binding)))
  }
}

/// How a service is reached (RFC 9460).
public struct SVCB: PacketRecord {
  /// The record as given.
  public let draft: RecordDraft

  /// A service at `target` (`.` for the name itself).
  public init(
    _ name: String, priority: UInt16 = 1, target: String = ".", port: UInt16? = nil, alpn: [String] = [],
    hints: [IPAddress] = [], ttl: TimeToLive = .minutes(5)
  ) {
    draft = RecordDraft(
      name: .text(name), ttl: ttl,
      content: .binding(.svcb, priority, target, port, alpn, hints) { .svcb($0) })
  }

  /// A binding that is at hand.
  public init(_ name: String, _ binding: ServiceBinding, ttl: TimeToLive = .minutes(5)) {
    draft = RecordDraft(name: .text(name), ttl: ttl, content: .data(.svcb(binding)))
  }
}

extension RecordDraft.Content {
  /// Data that hold one name, given as text.
  fileprivate static func pointing(
    _ type: RecordType, to target: String, _ data: (DomainName) -> RecordData
  ) -> Self {
    do throws(DomainNameError) {
      return .data(data(try DomainName(target)))
    } catch {
      return .faulty(type, .notAName(target, error))
    }
  }

  fileprivate static func binding(
    _ type: RecordType, _ priority: UInt16, _ target: String, _ port: UInt16?, _ alpn: [String], _ hints: [IPAddress],
    _ data: (ServiceBinding) -> RecordData
  ) -> Self {
    do throws(DomainNameError) {
      var binding = ServiceBinding(priority: priority, target: try DomainName(target))
      do throws(ServiceBindingError) {
        if let port { binding.setPort(port) }
        try binding.setALPN(alpn)
        try binding.setAddressHints(hints)
        return .data(data(binding))
      } catch {
        return .faulty(type, .parameter(error))
      }
    } catch {
      return .faulty(type, .notAName(target, error))
    }
  }
}
