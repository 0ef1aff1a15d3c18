import DNSWire

/// A generator with a seed: same seed, same records (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}

/// Makes records of every type.
struct RecordGenerator {
  var random: SeededGenerator
  /// What all owners end in.
  let origin: DomainName
  /// True to make only what other programs understand the same way: lower-case names, no oddities.
  let isTame: Bool

  init(seed: UInt64, origin: DomainName = .root, isTame: Bool = false) {
    random = SeededGenerator(seed: seed)
    self.origin = origin
    self.isTame = isTame
  }

  mutating func bytes(_ counts: ClosedRange<Int>) -> [UInt8] {
    (0..<Int.random(in: counts, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  /// Bytes for a string; tame ones are ASCII, as dnspython 2.3 reads `\\DDD` in CAA and NAPTR texts as code points.
  private mutating func stringBytes(_ counts: ClosedRange<Int>) -> [UInt8] {
    bytes(counts).map { isTame ? $0 & 0x7f : $0 }
  }

  private mutating func label() -> [UInt8] {
    let words = ["a", "b", "www", "_pubky", "_http", "_tcp", "mail", "x1", "a-b"]
    if !isTame, Int.random(in: 0..<4, using: &random) == 0 { return bytes(1...(Bool.random(using: &random) ? 5 : 63)) }
    return Array(words.randomElement(using: &random)!.utf8)
  }

  /// Few different labels, so that names share suffixes.
  mutating func name(below suffix: DomainName? = nil) -> DomainName {
    let count = Int.random(in: 0...3, using: &random)
    let labels = (0..<count).map { _ in label() }
    let suffix = suffix ?? (Bool.random(using: &random) ? origin : try! DomainName("example.com"))
    return (try? DomainName(labels: labels).appending(suffix)) ?? suffix
  }

  private mutating func host() -> RecordData.PreferredHost {
    .init(preference: .random(in: 0 ... .max, using: &random), host: name())
  }

  mutating func binding() -> ServiceBinding {
    let isAlias = isTame && Int.random(in: 0..<8, using: &random) == 0
    var binding = ServiceBinding(priority: isAlias ? 0 : .random(in: 1...9, using: &random), target: name())
    if isAlias { return binding }
    if Bool.random(using: &random) { try! binding.setALPN(["h2", "h3", "a,b", "c\\d"].shuffled(using: &random)) }
    if Bool.random(using: &random), !binding.alpn.isEmpty { binding.setNoDefaultALPN() }
    if Bool.random(using: &random) { binding.setPort(.random(in: 0 ... .max, using: &random)) }
    if Bool.random(using: &random) {
      try! binding.setAddressHints([.loopbackV4, .loopbackV6, .init(192, 0, 2, 1)].shuffled(using: &random))
    }
    if Bool.random(using: &random) { try! binding.setECH(bytes(0...9)) }
    if Bool.random(using: &random) { try! binding.set(.init(rawValue: 667), to: bytes(0...9)) }
    if Bool.random(using: &random), !isTame {
      try! binding.set(.init(rawValue: .random(in: 7..<65535, using: &random)), to: bytes(0...300))
    }
    if Bool.random(using: &random) { binding.setMandatory(binding.parameters.map(\.key).prefix(2)) }
    return binding
  }

  mutating func text() -> RecordData.TXT {
    let count = Int.random(in: 1...3, using: &random)
    return RecordData.TXT(strings: (0..<count).map { _ in bytes(0...(isTame ? 20 : 255)) })!
  }

  /// Data of one of the types that other programs know.
  mutating func commonData() -> RecordData {
    switch Int.random(in: 0..<18, using: &random) {
    case 0: .a(.init(.random(in: 0 ... .max, using: &random)))
    case 1:
      .aaaa(
        .init(high: .random(in: 0 ... .max, using: &random) >> 32, low: .random(in: 0 ... .max, using: &random) >> 16))
    case 2: .cname(name())
    case 3: .ns(name())
    case 4: .ptr(name())
    case 5: .txt(text())
    case 6: .svcb(binding())
    case 7: .https(binding())
    case 8: .mx(host())
    case 9: .srv(.init(priority: 1, weight: 2, port: .random(in: 0 ... .max, using: &random), target: name()))
    case 10:
      .soa(
        .init(
          primaryServer: name(), mailbox: name(), serial: .random(in: 0 ... .max, using: &random), refresh: 1, retry: 2,
          expire: 3, minimum: 4))
    case 11: .caa(.init(flags: 128, tag: Array("issue".utf8), value: stringBytes(0...20))!)
    case 12:
      .naptr(
        .init(
          order: 1, preference: 2, flags: Array("u".utf8), services: stringBytes(0...9), expression: stringBytes(0...9),
          replacement: name())!)
    case 13: .rp(.init(mailbox: name(), second: name()))
    case 14: Bool.random(using: &random) ? .afsdb(host()) : .rt(host())
    case 15: .kx(host())
    case 16: try! RecordData(opaqueType(), wire: [1, 2, 1] + bytes(32...32))
    default: .opaque(.init(rawValue: 65280), bytes(1...40))
    }
  }

  private mutating func opaqueType() -> RecordType {
    let types: [RecordType] = [.ds, .dnskey, .tlsa, .sshfp, .dhcid, .openpgpkey]
    return types.randomElement(using: &random)!
  }

  /// Data of any type.
  mutating func data() -> RecordData {
    if isTame || Bool.random(using: &random) { return commonData() }
    switch Int.random(in: 0..<9, using: &random) {
    case 0: return .md(name())
    case 1: return .mb(name())
    case 2: return .nsapPTR(name())
    case 3: return .minfo(.init(mailbox: name(), second: name()))
    case 4: return .empty(.init(rawValue: .random(in: 1...40, using: &random)))
    case 5: return .caa(.init(flags: 0, tag: bytes(0...255), value: bytes(0...20))!)
    case 6: return .opaque(.spf, [0] + [3] + bytes(3...3))
    case 7: return .opaque(.dname, name().wire)
    default:
      // Whatever the type makes of random bytes, if anything.
      let type = RecordType(rawValue: .random(in: 1...300, using: &random))
      return (try? RecordData(type, wire: bytes(1...40))) ?? .opaque(.init(rawValue: 65281), [1])
    }
  }

  mutating func record() -> ResourceRecord {
    ResourceRecord(
      name: name(below: origin), ttl: .random(in: 0...(isTame ? 0x7fff_ffff : .max), using: &random), data: data())
  }
}
