extension DomainName: CustomStringConvertible, CustomDebugStringConvertible {
  /// Reads presentation text: labels joined by `.`, with the escapes `\DDD` and `\c` (RFC 1035 §5.1).
  ///
  /// The name is absolute whether or not it ends in a dot. Empty labels vanish (`a..b` is `a.b`, as in the PKARR
  /// reference), so the empty text and `.` are the root. Other characters stand for their UTF-8 bytes.
  public init(_ text: some StringProtocol) throws(DomainNameError) {
    var wire: [UInt8] = [0]
    wire.reserveCapacity(text.utf8.count + 2)
    var lengthPosition = 0
    var escape = EscapeReader(text.utf8)
    while let (byte, isEscaped) = try escape.next() {
      if byte == UInt8(ascii: "."), !isEscaped {
        guard wire.count - lengthPosition > 1 else { continue }
        try Self.close(&wire, labelAt: lengthPosition)
        lengthPosition = wire.count
        wire.append(0)
      } else {
        // A cap well above both limits keeps memory bounded while the errors still tell the true length.
        guard wire.count < 65536 else { throw .nameTooLong(wire.count) }
        wire.append(byte)
      }
    }
    if wire.count - lengthPosition > 1 {
      try Self.close(&wire, labelAt: lengthPosition)
      wire.append(0)
    }
    guard wire.count <= Self.maximumLength else { throw .nameTooLong(wire.count) }
    self.wire = wire
  }

  private static func close(_ wire: inout [UInt8], labelAt position: Int) throws(DomainNameError) {
    let length = wire.count - position - 1
    guard length <= maximumLabelLength else { throw .labelTooLong(length) }
    wire[position] = UInt8(length)
  }

  /// Presentation text without the final dot, `.` for the root. Reading it again gives the same name.
  ///
  /// Everything but letters, digits, `-`, `_` and harmless punctuation is escaped, bytes outside of printable ASCII as
  /// `\DDD`.
  public var description: String {
    if isRoot { return "." }
    var text: [UInt8] = []
    for label in labels {
      if !text.isEmpty { text.append(UInt8(ascii: ".")) }
      for byte in label { Escaping.append(byte, to: &text, within: .name) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Presentation text with the final dot: the absolute form of zone files.
  public var absoluteDescription: String { isRoot ? "." : description + "." }

  /// Same as ``description``.
  public var debugDescription: String { description }

  /// The labels joined by `.`, each decoded as UTF-8 with replacement characters for bad bytes; empty for the root.
  ///
  /// The text on which PKARR matches names. It is not injective: use ``description`` where the name matters.
  public var text: String { labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".") }
}

// MARK: - Strict rules

extension DomainName {
  /// Reads a name by the strict rule of the PKARR reference: letters, digits, `-` and `_`, the first character of a
  /// label not `-`, the last one a letter or a digit; no escapes. Empty labels vanish.
  public init(checked text: some StringProtocol) throws(DomainNameError) {
    guard !text.utf8.contains(UInt8(ascii: "\\")) else { throw .characterNotAllowed(label: String(text)) }
    self = try DomainName(text)
    try check { label, _ in Self.isStrict(label) }
  }

  /// Throws unless each label keeps to what may be published without asking: the strict rule of
  /// ``init(checked:)``, or `*` alone, or a label with `_` at its end.
  public func checkPublishable() throws(DomainNameError) {
    try check { label, _ in
      label.elementsEqual(CollectionOfOne(UInt8(ascii: "*"))) || label.last == UInt8(ascii: "_") && Self.isInner(label)
        || Self.isStrict(label)
    }
  }

  private func check(_ isAllowed: (ArraySlice<UInt8>, Int) -> Bool) throws(DomainNameError) {
    for (index, label) in labels.enumerated() where !isAllowed(label, index) {
      let text = (try? DomainName(labels: CollectionOfOne(label)))?.description
      throw .characterNotAllowed(label: text ?? "")
    }
  }

  private static func isStrict(_ label: ArraySlice<UInt8>) -> Bool {
    guard let last = label.last else { return false }
    return isInner(label) && isLetterOrDigit(last)
  }

  /// All characters allowed and the first one not a hyphen.
  private static func isInner(_ label: ArraySlice<UInt8>) -> Bool {
    label.first != UInt8(ascii: "-")
      && label.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }
}

extension DomainNameError: CustomStringConvertible {
  /// What is wrong, for a person.
  public var description: String {
    switch self {
    case .labelTooLong(let length): "a label of \(length) bytes; at most 63 are allowed"
    case .nameTooLong(let length): "a name of \(length) bytes; at most 255 are allowed"
    case .emptyLabel: "an empty label"
    case .badEscape: "a backslash must be followed by a character or by three digits up to 255"
    case .characterNotAllowed(let label):
      "the label \"\(label)\" has a character that is not allowed in names"
    }
  }
}
