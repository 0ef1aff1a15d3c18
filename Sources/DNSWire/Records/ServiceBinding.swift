import Addresses

/// Data of an SVCB or HTTPS record (RFC 9460).
public struct ServiceBinding: Hashable, Sendable {
  /// The lowest is tried first; 0 is AliasMode.
  public var priority: UInt16
  /// The alias target or the host of the service; the root stands for the owner of the record. Never compressed.
  public var target: DomainName
  /// The parameters in strictly ascending order of their keys, unknown ones included.
  public private(set) var parameters: [Parameter] = []

  /// Makes a binding without parameters.
  public init(priority: UInt16, target: DomainName) {
    self.priority = priority
    self.target = target
  }

  /// A parameter: its key and its value as on the wire.
  public struct Parameter: Hashable, Sendable {
    /// What the parameter says.
    public let key: Key
    /// The value in wire form, without its length.
    public let value: [UInt8]
  }

  /// Number of a parameter (RFC 9460 §14.3).
  public struct Key: RawRepresentable, Hashable, Comparable, Sendable {
    /// The number on the wire.
    public let rawValue: UInt16

    /// Any number is a key; 65535 is reserved and cannot be set.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Keys that a client must understand.
    public static let mandatory = Key(rawValue: 0)
    /// Additional protocols.
    public static let alpn = Key(rawValue: 1)
    /// The default protocol is not offered.
    public static let noDefaultALPN = Key(rawValue: 2)
    /// Port.
    public static let port = Key(rawValue: 3)
    /// IPv4 addresses to try before asking for them.
    public static let ipv4hint = Key(rawValue: 4)
    /// Encrypted ClientHello configurations.
    public static let ech = Key(rawValue: 5)
    /// IPv6 addresses to try before asking for them.
    public static let ipv6hint = Key(rawValue: 6)
    /// Reserved as "invalid key".
    public static let invalid = Key(rawValue: 65535)

    /// By number.
    public static func < (left: Key, right: Key) -> Bool { left.rawValue < right.rawValue }
  }
}

/// Why a parameter of a service binding cannot be set.
public enum ServiceBindingError: Error, Hashable, Sendable {
  /// Key 65535 is reserved.
  case reservedKey
  /// The value does not have the form that its key asks for.
  case badValue(ServiceBinding.Key)
  /// The value is longer than fits into a record.
  case tooLong(ServiceBinding.Key)
}

// MARK: - Setting

extension ServiceBinding {
  /// Sets a parameter to a value in wire form, replacing an earlier one. The values of keys 0 to 6 must be well formed.
  public mutating func set(_ key: Key, to value: [UInt8]) throws(ServiceBindingError) {
    guard key != .invalid else { throw .reservedKey }
    guard value.count <= 65535 else { throw .tooLong(key) }
    guard let canonical = Self.canonical(value, for: key), canonical.count == value.count || key == .mandatory else {
      throw .badValue(key)
    }
    insert(Parameter(key: key, value: canonical))
  }

  /// Removes a parameter, if it is there.
  public mutating func remove(_ key: Key) { parameters.removeAll { $0.key == key } }

  /// Sets the keys that a client must understand. An empty list does nothing.
  public mutating func setMandatory(_ keys: some Sequence<Key>) {
    let keys = Set(keys).sorted()
    guard !keys.isEmpty else { return }
    insert(Parameter(key: .mandatory, value: keys.flatMap { [UInt8($0.rawValue >> 8), UInt8($0.rawValue & 255)] }))
  }

  /// Sets the additional protocols, such as `h3`; each must have 1 to 255 bytes. An empty list does nothing.
  public mutating func setALPN(_ protocols: some Sequence<String>) throws(ServiceBindingError) {
    var value: [UInt8] = []
    for name in protocols {
      guard (1...255).contains(name.utf8.count) else { throw .badValue(.alpn) }
      value.append(UInt8(name.utf8.count))
      value.append(contentsOf: name.utf8)
    }
    guard !value.isEmpty else { return }
    try set(.alpn, to: value)
  }

  /// Says that the default protocol is not offered.
  public mutating func setNoDefaultALPN() { insert(Parameter(key: .noDefaultALPN, value: [])) }

  /// Sets the port.
  public mutating func setPort(_ port: UInt16) {
    insert(Parameter(key: .port, value: [UInt8(port >> 8), UInt8(port & 255)]))
  }

  /// Sets addresses of one family as hint: the IPv4 ones of `addresses` for ``Key/ipv4hint``, and the IPv6 ones for
  /// ``Key/ipv6hint``. A family without addresses is left as it was.
  public mutating func setAddressHints(_ addresses: some Sequence<IPAddress>) throws(ServiceBindingError) {
    let all = Array(addresses)
    for (key, family) in [(Key.ipv4hint, IPAddress.Family.ipv4), (.ipv6hint, .ipv6)] {
      let value = all.filter { $0.family == family }.flatMap(\.bytes)
      if !value.isEmpty { try set(key, to: value) }
    }
  }

  /// Sets the ECH configurations, without the length that stands in front of them on the wire.
  public mutating func setECH(_ configurations: [UInt8]) throws(ServiceBindingError) {
    guard configurations.count <= 65533 else { throw .tooLong(.ech) }
    let length = configurations.count
    insert(Parameter(key: .ech, value: [UInt8(length >> 8), UInt8(length & 255)] + configurations))
  }

  private mutating func insert(_ parameter: Parameter) {
    let index = parameters.firstIndex { $0.key >= parameter.key } ?? parameters.endIndex
    if index < parameters.endIndex, parameters[index].key == parameter.key {
      parameters[index] = parameter
    } else {
      parameters.insert(parameter, at: index)
    }
  }

  /// The value as the PKARR reference would write it again: without surplus bytes, mandatory keys sorted and once each;
  /// nil if it is malformed.
  private static func canonical(_ value: [UInt8], for key: Key) -> [UInt8]? {
    let span = value.span.bytes
    var reader = RecordDataReader(span, from: 0, to: span.byteCount)
    guard (try? reader.skipParameterValue(key.rawValue, length: value.count)) != nil else { return nil }
    switch key {
    case .mandatory:
      let keys = stride(from: 0, to: value.count, by: 2).map { UInt16(value[$0]) << 8 | UInt16(value[$0 + 1]) }
      return Set(keys).sorted().flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    case .noDefaultALPN: return []
    case .port: return Array(value.prefix(2))
    default: return value
    }
  }
}

// MARK: - Reading

extension ServiceBinding {
  /// True if the record is an alias (priority 0): clients ignore its parameters.
  public var isAlias: Bool { priority == 0 }

  /// The value of a parameter in wire form; nil if it is not set.
  public func value(of key: Key) -> [UInt8]? { parameters.first { $0.key == key }?.value }

  /// Keys that a client must understand, ascending.
  public var mandatory: [Key] {
    let value = value(of: .mandatory) ?? []
    return stride(from: 0, to: value.count - value.count % 2, by: 2).map {
      Key(rawValue: UInt16(value[$0]) << 8 | UInt16(value[$0 + 1]))
    }
  }

  /// Additional protocols, as bytes.
  public var alpnBytes: [[UInt8]] { RecordData.TXT.strings(in: value(of: .alpn) ?? []) }

  /// Additional protocols, such as `h3`; bytes that are not UTF-8 are replaced.
  public var alpn: [String] { alpnBytes.map { String(decoding: $0, as: UTF8.self) } }

  /// True if the default protocol is not offered.
  public var noDefaultALPN: Bool { value(of: .noDefaultALPN) != nil }

  /// The port, if one is set.
  public var port: UInt16? { value(of: .port).map { UInt16($0[0]) << 8 | UInt16($0[1]) } }

  /// IPv4 addresses to try before asking for them.
  public var ipv4hint: [IPAddress] { addresses(.ipv4hint, size: 4) }

  /// IPv6 addresses to try before asking for them.
  public var ipv6hint: [IPAddress] { addresses(.ipv6hint, size: 16) }

  /// ECH configurations, without the length in front of them.
  public var ech: [UInt8]? { value(of: .ech).map { Array($0.dropFirst(2)) } }

  private func addresses(_ key: Key, size: Int) -> [IPAddress] {
    let value = value(of: key) ?? []
    return stride(from: 0, to: value.count, by: size).compactMap { IPAddress(bytes: value[$0..<($0 + size)]) }
  }
}

// MARK: - Wire

extension ServiceBinding {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    priority = try reader.readUInt16()
    target = try reader.readName()
    while reader.remaining > 0 {
      let key = Key(rawValue: try reader.readUInt16())
      let length = Int(try reader.readUInt16())
      let start = reader.offset
      try reader.skipParameterValue(key.rawValue, length: length)
      if let last = parameters.last, last.key >= key { throw MessageError(.parameterOrder, at: start - 4) }
      guard let value = Self.canonical(reader.bytes(from: start), for: key) else {
        throw MessageError(.badRecordData, at: start)
      }
      parameters.append(Parameter(key: key, value: value))
    }
  }

  func write(to writer: inout MessageWriter) {
    writer.output.write(priority)
    writer.writeUncompressed(target)
    for parameter in parameters {
      writer.output.write(parameter.key.rawValue)
      writer.output.write(UInt16(truncatingIfNeeded: parameter.value.count))
      writer.output.write(parameter.value)
    }
  }
}
