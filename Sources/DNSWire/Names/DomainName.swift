/// Why bytes or text are not a domain name.
public enum DomainNameError: Error, Hashable, Sendable {
  /// A label of this many bytes; at most 63 are allowed (RFC 1035 §2.3.4).
  case labelTooLong(Int)
  /// The name would take this many bytes on the wire, or more; at most 255 are allowed (RFC 1035 §2.3.4).
  case nameTooLong(Int)
  /// An empty label inside a list of labels.
  case emptyLabel
  /// A backslash that is not followed by a character or by three digits up to 255.
  case badEscape
  /// A label has a character that the strict rule does not allow; the label in presentation form.
  case characterNotAllowed(label: String)
}

/// An absolute domain name: labels of 1 to 63 arbitrary bytes, held in uncompressed wire form (RFC 1035 §3.1).
///
/// Case is kept, and two names are equal only if all their bytes are (the rule for PKARR, where names are compared
/// byte by byte); see ``equalsIgnoringASCIICase(_:)`` for the rule of RFC 4343.
public struct DomainName: Hashable, Sendable {
  /// Length byte and bytes of each label, then a zero byte; 1 to 255 bytes.
  public let wire: [UInt8]

  /// Most bytes that a name takes on the wire, the final zero byte included.
  public static let maximumLength = 255
  /// Most bytes in a label.
  public static let maximumLabelLength = 63

  /// The root: no labels.
  public static let root = DomainName(uncheckedWire: [0])

  /// Takes wire form that is known to be well formed.
  init(uncheckedWire wire: [UInt8]) { self.wire = wire }

  /// Joins labels, each of 1 to 63 arbitrary bytes, the leftmost first.
  public init(labels: some Sequence<some Collection<UInt8>>) throws(DomainNameError) {
    var wire: [UInt8] = []
    for label in labels {
      guard !label.isEmpty else { throw .emptyLabel }
      guard label.count <= Self.maximumLabelLength else { throw .labelTooLong(label.count) }
      wire.append(UInt8(label.count))
      wire.append(contentsOf: label)
      guard wire.count < Self.maximumLength else { throw .nameTooLong(wire.count + 1) }
    }
    wire.append(0)
    self.wire = wire
  }

  /// True for the root, which has no labels.
  public var isRoot: Bool { wire.count == 1 }

  /// The labels, the leftmost first, without copying their bytes.
  public var labels: Labels { Labels(wire: wire) }

  /// The name without its leftmost label; nil for the root.
  public var parent: DomainName? {
    guard !isRoot else { return nil }
    return DomainName(uncheckedWire: Array(wire[(Int(wire[0]) + 1)...]))
  }

  /// This name in front of `suffix`; throws ``DomainNameError/nameTooLong(_:)`` beyond 255 bytes.
  public func appending(_ suffix: DomainName) throws(DomainNameError) -> DomainName {
    let count = wire.count - 1 + suffix.wire.count
    guard count <= Self.maximumLength else { throw .nameTooLong(count) }
    return DomainName(uncheckedWire: wire.dropLast() + suffix.wire)
  }

  /// True if the labels of this name end in those of `suffix`, byte by byte. Every name ends in the root and in itself.
  public func hasSuffix(_ suffix: DomainName) -> Bool {
    var start = 0
    while wire.count - start > suffix.wire.count { start += Int(wire[start]) + 1 }
    return wire[start...].elementsEqual(suffix.wire)
  }

  /// The labels in front of `suffix` as a name of their own; nil if this name does not end in `suffix`.
  public func removingSuffix(_ suffix: DomainName) -> DomainName? {
    guard hasSuffix(suffix) else { return nil }
    return DomainName(uncheckedWire: wire.prefix(wire.count - suffix.wire.count) + [0])
  }

  /// Equality with ASCII letters in either case (RFC 4343).
  public func equalsIgnoringASCIICase(_ other: DomainName) -> Bool {
    // Length bytes are below 64, so folding never touches them.
    wire.count == other.wire.count && zip(wire, other.wire).allSatisfy { Self.folded($0) == Self.folded($1) }
  }

  private static func folded(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
}

extension DomainName {
  /// The labels of a name, the leftmost first.
  public struct Labels: Sequence, IteratorProtocol, Sendable {
    private let wire: [UInt8]
    private var position = 0

    init(wire: [UInt8]) { self.wire = wire }

    /// The bytes of the next label.
    public mutating func next() -> ArraySlice<UInt8>? {
      let length = Int(wire[position])
      guard length > 0 else { return nil }
      defer { position += length + 1 }
      return wire[(position + 1)...(position + length)]
    }
  }
}
