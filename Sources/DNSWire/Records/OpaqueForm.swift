import WireFormat

/// The zone-file form of types that are kept as bytes, field by field.
struct OpaqueForm {
  private enum Part {
    /// A number of this many bytes.
    case number(Int)
    /// A character-string in quotes.
    case string
    /// Character-strings in quotes up to the end.
    case strings
    /// All the rest, in one pair of quotes.
    case text
    /// A name, never compressed.
    case name
    /// All the rest, in hexadecimal; at least one byte.
    case hex
    /// All the rest, in base64; at least one byte.
    case base64
    /// All the rest, as pairs of hexadecimal digits joined by hyphens.
    case hyphenated
  }

  private let type: RecordType
  private let parts: [Part]

  /// Nil for types that have no form of their own.
  init?(_ type: RecordType) {
    self.type = type
    switch type {
    case .ds, .cds: parts = [.number(2), .number(1), .number(1), .hex]  // RFC 4034 §5.3
    case .dnskey, .cdnskey: parts = [.number(2), .number(1), .number(1), .base64]  // RFC 4034 §2.2
    case .tlsa, .smimea: parts = [.number(1), .number(1), .number(1), .hex]  // RFC 6698 §2.2
    case .sshfp: parts = [.number(1), .number(1), .hex]  // RFC 4255 §3.2
    case .cert: parts = [.number(2), .number(2), .number(1), .base64]  // RFC 4398 §2.2
    case .zonemd: parts = [.number(4), .number(1), .number(1), .hex]  // RFC 8976 §2.3
    case .openpgpkey, .dhcid: parts = [.base64]  // RFC 7929 §2.3, RFC 4701 §3.2
    case .uri: parts = [.number(2), .number(2), .text]  // RFC 7553 §4.5
    case .hinfo, .isdn: parts = [.string, .string]  // RFC 1035 §3.3.2, RFC 1183 §3.2
    case .x25: parts = [.string]  // RFC 1183 §3.1
    case .spf: parts = [.strings]  // RFC 4408 §3.1.1
    case .dname: parts = [.name]  // RFC 6672 §2.1
    case .eui48, .eui64: parts = [.hyphenated]  // RFC 7043 §3.2, §4.2
    default: return nil
    }
  }
}

// MARK: - Writing

extension OpaqueForm {
  /// The text; nil if the bytes do not have the form, so that only the one of RFC 3597 can express them.
  func text(_ bytes: [UInt8], _ names: NameStyle) -> String? {
    let span = bytes.span.bytes
    // Without pointers to follow: inside of kept bytes they would point to nowhere.
    var reader = RecordDataReader(span, from: 0, to: bytes.count, memory: NameReader.Memory(pointers: 0))
    var words: [String] = []
    for part in parts {
      guard let word = try? Self.word(part, &reader, names) else { return nil }
      words.append(word)
    }
    return reader.remaining == 0 ? words.joined(separator: " ") : nil
  }

  private static func word(
    _ part: Part, _ reader: inout RecordDataReader, _ names: NameStyle
  ) throws(MessageError) -> String {
    func rest(_ reader: inout RecordDataReader) throws(MessageError) -> [UInt8] {
      guard reader.remaining > 0 else { throw MessageError(.recordDataTooShort, at: reader.offset) }
      return reader.readRest()
    }
    switch part {
    case .number(let size):
      var number: UInt32 = 0
      for _ in 0..<size { number = number << 8 | UInt32(try reader.readUInt8()) }
      return String(number)
    case .string: return Escaping.quoted(try reader.readCharacterString())
    case .strings:
      var strings: [String] = []
      repeat { strings.append(Escaping.quoted(try reader.readCharacterString())) } while reader.remaining > 0
      return strings.joined(separator: " ")
    case .text: return Escaping.quoted(reader.readRest())
    case .name: return names.text(try reader.readName())
    case .hex: return Hex.encode(try rest(&reader))
    case .base64: return Base64.encode(try rest(&reader))
    case .hyphenated: return try rest(&reader).map { Hex.encode(CollectionOfOne($0)) }.joined(separator: "-")
    }
  }
}

// MARK: - Reading

extension OpaqueForm {
  /// Reads data of a type that is kept as bytes.
  static func read(_ type: RecordType, _ fields: inout FieldReader) throws(FieldError) -> RecordData {
    let first = try fields.next("the data of the record, in the form \\# length hexadecimal,")
    guard let form = OpaqueForm(type) else {
      throw first.error(
        "cannot be read: \(type) has no text form here", hint: "Write \(type) \\# and length and bytes in hexadecimal.")
    }
    fields.putBack(first)
    var bytes: [UInt8] = []
    for part in form.parts { try Self.append(part, &fields, to: &bytes) }
    do throws(MessageError) {
      return try RecordData(type, wire: bytes)
    } catch {
      throw first.error("does not begin the data of \(type): \(error)")
    }
  }

  private static func append(
    _ part: Part, _ fields: inout FieldReader, to bytes: inout [UInt8]
  ) throws(FieldError) {
    func appendString(_ string: [UInt8]) {
      bytes.append(UInt8(string.count))
      bytes.append(contentsOf: string)
    }
    switch part {
    case .number(1): bytes.append(try fields.nextNumber("a number"))
    case .number(2):
      let number: UInt16 = try fields.nextNumber("a number")
      bytes += [UInt8(number >> 8), UInt8(number & 255)]
    case .number:
      let number: UInt32 = try fields.nextNumber("a number")
      for shift in stride(from: UInt32(24), through: 0, by: -8) { bytes.append(UInt8(number >> shift & 255)) }
    case .string: appendString(try fields.nextCharacterString("a string"))
    case .strings: repeat { appendString(try fields.nextCharacterString("a string")) } while fields.hasMore
    case .text: bytes += try fields.next("a text in quotes").bytes()
    case .name: bytes += try fields.nextName("a name").wire
    case .hex: bytes += try fields.restAsHex("data in hexadecimal")
    case .base64: bytes += try fields.restAsBase64("data in base64")
    case .hyphenated:
      let field = try fields.next("an address such as 00-00-5e-00-53-2a")
      let pairs = field.text.split(separator: "-", omittingEmptySubsequences: false)
      for pair in pairs {
        guard pair.utf8.count == 2, let byte = Hex.decode(pair)?.first else {
          throw field.error("is not an address", hint: "Write it like 00-00-5e-00-53-2a.")
        }
        bytes.append(byte)
      }
    }
  }
}
