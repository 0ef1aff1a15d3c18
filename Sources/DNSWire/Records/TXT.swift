extension RecordData {
  /// Data of a TXT record: character-strings of at most 255 bytes each (RFC 1035 §3.3.14).
  public struct TXT: Hashable, Sendable {
    /// The strings as on the wire: a length byte and the bytes of each; at least one string, even if it is empty.
    let wire: [UInt8]

    /// Cuts the UTF-8 bytes of `text` into strings of 254 bytes, as the PKARR reference does. Empty text is one empty
    /// string.
    public init(_ text: some StringProtocol) { self.init(bytes: text.utf8) }

    /// Cuts bytes into strings of 254 bytes, as the PKARR reference does. No bytes are one empty string.
    public init(bytes: some Sequence<UInt8>) {
      var wire: [UInt8] = []
      var lengthPosition = 0
      for byte in bytes {
        if wire.isEmpty || wire[lengthPosition] == 254 {
          lengthPosition = wire.count
          wire.append(0)
        }
        wire.append(byte)
        wire[lengthPosition] += 1
      }
      self.wire = wire.isEmpty ? [0] : wire
    }

    /// Takes strings as they are; nil if one is longer than 255 bytes. No strings are one empty string.
    public init?(strings: some Sequence<some Collection<UInt8>>) {
      var wire: [UInt8] = []
      for string in strings {
        guard string.count <= 255 else { return nil }
        wire.append(UInt8(string.count))
        wire.append(contentsOf: string)
      }
      self.wire = wire.isEmpty ? [0] : wire
    }

    /// The strings, each of at most 255 bytes.
    public var strings: [[UInt8]] { Self.strings(in: wire) }

    /// The strings of bytes that are known to be well-formed character-strings.
    static func strings(in wire: [UInt8]) -> [[UInt8]] {
      var strings: [[UInt8]] = []
      var position = 0
      while position < wire.count {
        let end = position + 1 + Int(wire[position])
        strings.append(Array(wire[(position + 1)..<end]))
        position = end
      }
      return strings
    }

    /// The bytes of all strings, joined.
    public var bytes: [UInt8] { strings.flatMap { $0 } }

    /// The strings joined and decoded as UTF-8; nil if they are not UTF-8.
    public var text: String? { String(validating: bytes, as: UTF8.self) }
  }
}

// MARK: - Attributes

extension RecordData.TXT {
  /// One `key=value` of a TXT record.
  public struct Attribute: Hashable, Sendable {
    /// The part before the first `=`.
    public let key: String
    /// The part after it; nil if there is no `=`.
    public let value: String?

    init(_ part: Substring) {
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      key = String(halves[0])
      value = halves.count > 1 ? String(halves[1]) : nil
    }
  }

  /// One attribute for each string (RFC 1464 without its quoting). Strings that are not UTF-8 are left out, and of a
  /// key that occurs twice only the first counts.
  public var attributes: [Attribute] {
    Self.firstOfEach(strings.lazy.compactMap { String(validating: $0, as: UTF8.self).map { Attribute($0[...]) } })
  }

  /// The attributes in the joined strings, separated by `;`, for values longer than a string; nil if the text is not
  /// UTF-8. Empty keys are left out, and of a key that occurs twice only the first counts.
  public var longAttributes: [Attribute]? {
    text.map { text in Self.firstOfEach(text.split(separator: ";").map(Attribute.init).filter { !$0.key.isEmpty }) }
  }

  private static func firstOfEach(_ attributes: some Sequence<Attribute>) -> [Attribute] {
    var seen: Set<String> = []
    return attributes.filter { seen.insert($0.key).inserted }
  }
}

// MARK: - Wire and presentation

extension RecordData.TXT {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    let start = reader.offset
    while reader.remaining > 0 { try reader.skipCharacterString() }
    wire = reader.bytes(from: start)
  }

  func write(to writer: inout MessageWriter) { writer.output.write(wire) }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    var wire: [UInt8] = []
    repeat {
      let string = try fields.nextCharacterString("text")
      wire.append(UInt8(string.count))
      wire.append(contentsOf: string)
    } while fields.hasMore
    self.wire = wire
  }

  func presentation(_ names: NameStyle) -> String {
    strings.map { Escaping.quoted($0) }.joined(separator: " ")
  }
}
