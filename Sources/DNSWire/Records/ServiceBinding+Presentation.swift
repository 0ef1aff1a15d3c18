import WireFormat
import Addresses

extension ServiceBinding.Key: CustomStringConvertible {
  private static let names: [(Self, String)] = [
    (.mandatory, "mandatory"), (.alpn, "alpn"), (.noDefaultALPN, "no-default-alpn"), (.port, "port"),
    (.ipv4hint, "ipv4hint"), (.ech, "ech"), (.ipv6hint, "ipv6hint"),
  ]

  /// `alpn`, or `key667` for a key without a name (RFC 9460 §2.1).
  public var description: String { Self.names.first { $0.0 == self }?.1 ?? "key\(rawValue)" }

  /// Reads a name, or `key` and a number without leading zeros; nil for anything else.
  init?(_ text: some StringProtocol) {
    if let known = Self.names.first(where: { $0.1 == text }) {
      self = known.0
    } else {
      guard text.hasPrefix("key"), let number = DecimalNumber.parse(text.dropFirst(3), as: UInt16.self),
        String(number) == text.dropFirst(3)
      else { return nil }
      self.init(rawValue: number)
    }
  }
}

// MARK: - Writing

extension ServiceBinding {
  /// `1 example. alpn="h2,h3" port=8443` (RFC 9460 §2.1); nil if the reserved key is among the parameters.
  func presentation(_ names: NameStyle) -> String? {
    guard !parameters.contains(where: { $0.key == .invalid }) else { return nil }
    return (["\(priority)", names.text(target)] + parameters.map(\.presentation)).joined(separator: " ")
  }
}

extension ServiceBinding.Parameter {
  /// The parameter as a zone file has it. A value that the form of its key cannot express is written as `keyN="…"`.
  fileprivate var presentation: String {
    knownPresentation ?? (value.isEmpty ? "key\(key.rawValue)" : "key\(key.rawValue)=\(Escaping.quoted(value))")
  }

  private var knownPresentation: String? {
    var binding = ServiceBinding(priority: 1, target: .root)
    guard (try? binding.set(key, to: value)) != nil else { return nil }
    switch key {
    case .mandatory:
      return value.isEmpty ? nil : "mandatory=" + binding.mandatory.map(\.description).joined(separator: ",")
    case .alpn:
      let items = binding.alpnBytes
      return items.isEmpty || items.contains([]) ? nil : "alpn=" + Escaping.quoted(CommaList.join(items))
    case .noDefaultALPN: return "no-default-alpn"
    case .port: return binding.port.map { "port=\($0)" }
    case .ipv4hint:
      return value.isEmpty ? nil : "ipv4hint=" + binding.ipv4hint.map(\.description).joined(separator: ",")
    case .ipv6hint:
      // An IPv4-mapped address keeps its IPv6 form.
      return value.isEmpty
        ? nil
        : "ipv6hint=" + binding.ipv6hint.map { $0.isIPv4 ? "::ffff:\($0)" : "\($0)" }.joined(separator: ",")
    case .ech: return "ech=\"\(Base64.encode(value))\""
    default: return nil
    }
  }
}

// MARK: - Reading

extension ServiceBinding {
  init(presentation fields: inout FieldReader) throws(FieldError) {
    self.init(priority: try fields.nextNumber("a priority"), target: try fields.nextName("a target name"))
    var mandatoryField: Field?
    while fields.hasMore {
      let field = try fields.next("a parameter")
      let key = try readParameter(field)
      if key == .mandatory { mandatoryField = field }
    }
    if let mandatoryField { try checkMandatory(mandatoryField) }
  }

  /// RFC 9460 §8: listed keys must be there, once each, and `mandatory` itself not among them.
  private func checkMandatory(_ field: Field) throws(FieldError) {
    for key in mandatory {
      guard key != .mandatory else { throw field.error("lists itself") }
      guard value(of: key) != nil else { throw field.error("lists \(key), which the record does not have") }
    }
  }

  private mutating func readParameter(_ field: Field) throws(FieldError) -> Key {
    guard !field.isQuoted else { throw field.error("is in quotes", hint: "Quote only the value: alpn=\"h2,h3\".") }
    let halves = field.text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let name = halves.first, let key = Key(name) else {
      throw field.error(
        "is not a parameter",
        hint: "Known: mandatory, alpn, no-default-alpn, port, ipv4hint, ipv6hint, ech; others as key123=value.")
    }
    guard value(of: key) == nil else { throw field.error("sets \(key) a second time") }
    var text = halves.count > 1 ? halves[1] : ""
    if text.utf8.first == UInt8(ascii: "\""), text.utf8.last == UInt8(ascii: "\""), text.utf8.count >= 2 {
      text = Substring(text.utf8.dropFirst().dropLast())
    }
    let bytes = try Field.unescaped(text.utf8, in: field)
    let value = name.hasPrefix("key") ? bytes : try Self.value(bytes, for: key, field)
    do throws(ServiceBindingError) {
      try set(key, to: value)
    } catch {
      throw field.error("has a value that \(key) does not allow")
    }
    return key
  }

  private static func value(_ bytes: [UInt8], for key: Key, _ field: Field) throws(FieldError) -> [UInt8] {
    switch key {
    case .mandatory: return try mandatoryValue(bytes, field)
    case .alpn: return try alpnValue(bytes, field)
    case .noDefaultALPN:
      guard bytes.isEmpty else { throw field.error("has a value, but no-default-alpn stands alone") }
      return []
    case .port:
      guard let port = DecimalNumber.parse(String(decoding: bytes, as: UTF8.self), as: UInt16.self) else {
        throw field.error("is not a port", hint: "Write a number from 0 to 65535.")
      }
      return [UInt8(port >> 8), UInt8(port & 255)]
    case .ipv4hint, .ipv6hint: return try addressValue(bytes, isIPv4: key == .ipv4hint, field)
    case .ech:
      guard let value = Base64.decode(bytes) else { throw field.error("is not base64") }
      return value
    default: return bytes
    }
  }

  private static func mandatoryValue(_ bytes: [UInt8], _ field: Field) throws(FieldError) -> [UInt8] {
    var keys: Set<Key> = []
    for item in String(decoding: bytes, as: UTF8.self).split(separator: ",", omittingEmptySubsequences: false) {
      guard let key = Key(item) else { throw field.error("lists \"\(item)\", which is not a parameter") }
      guard keys.insert(key).inserted else { throw field.error("lists \(key) twice") }
    }
    return keys.sorted().flatMap { [UInt8($0.rawValue >> 8), UInt8($0.rawValue & 255)] }
  }

  private static func alpnValue(_ bytes: [UInt8], _ field: Field) throws(FieldError) -> [UInt8] {
    var value: [UInt8] = []
    for item in CommaList.split(bytes) {
      guard (1...255).contains(item.count) else {
        throw field.error("has a protocol of \(item.count) bytes", hint: "Each has 1 to 255 bytes.")
      }
      value.append(UInt8(item.count))
      value.append(contentsOf: item)
    }
    return value
  }

  private static func addressValue(_ bytes: [UInt8], isIPv4: Bool, _ field: Field) throws(FieldError) -> [UInt8] {
    var value: [UInt8] = []
    for item in String(decoding: bytes, as: UTF8.self).split(separator: ",", omittingEmptySubsequences: false) {
      guard let address = IPAddress(item), item.utf8.contains(UInt8(ascii: ":")) != isIPv4 else {
        throw field.error("lists \"\(item)\", which is not an \(isIPv4 ? "IPv4" : "IPv6") address")
      }
      if isIPv4 {
        value += address.bytes
      } else {
        for word in [address.high, address.low] {
          for shift in stride(from: UInt64(56), through: 0, by: -8) {
            value.append(UInt8(truncatingIfNeeded: word >> shift))
          }
        }
      }
    }
    return value
  }
}

/// Lists in one string, items separated by commas, with `\,` and `\\` inside of them (RFC 9460 appendix A.1).
enum CommaList {
  static func join(_ items: [[UInt8]]) -> [UInt8] {
    var list: [UInt8] = []
    for (index, item) in items.enumerated() {
      if index > 0 { list.append(UInt8(ascii: ",")) }
      for byte in item {
        if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\\") { list.append(UInt8(ascii: "\\")) }
        list.append(byte)
      }
    }
    return list
  }

  static func split(_ list: [UInt8]) -> [[UInt8]] {
    var items: [[UInt8]] = [[]]
    var isEscaped = false
    for byte in list {
      if !isEscaped, byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if !isEscaped, byte == UInt8(ascii: ",") {
        items.append([])
      } else {
        items[items.count - 1].append(byte)
        isEscaped = false
      }
    }
    return items
  }
}
