import Cryptography
import DNSWire
import WireFormat

/// What an upstream is asked.
public struct UpstreamQuestion: Hashable, Sendable {
  /// The name.
  public var name: DomainName
  /// The type.
  public var type: RecordType
  /// The class.
  public var `class`: RecordClass
  /// RD: the upstream is to ask others.
  public var recursionDesired = true
  /// CD: the upstream is not to check signatures (RFC 4035 §3.2.2).
  public var checkingDisabled = false
  /// DO: the upstream is to send signatures along (RFC 3225).
  public var wantsSignatures = false

  /// A question of class IN to a resolver.
  public init(_ name: DomainName, _ type: RecordType, class: RecordClass = .internet) {
    self.name = name
    self.type = type
    self.class = `class`
  }
}

/// The bytes of a question as one server is sent them, and the check of what comes back.
struct UpstreamQuery: Sendable {
  /// What a message that came back is.
  enum Verdict: Hashable {
    /// The answer to this question.
    case answer
    /// The answer, but with letters of another case than they were sent in: from a careless server, or from somebody who
    /// could not see the question.
    case otherCase
    /// Something else.
    case foreign
  }

  /// How a question is written.
  struct Style: Hashable {
    /// Letters in random case (draft-vixie-dnsext-dns0x20-00), so that who guesses an answer has to guess them as well.
    var mixesCase = false
    /// An OPT record (RFC 6891); some old servers refuse it.
    var hasOptions = true
    /// Filled up to a multiple of this many bytes (RFC 8467 §4.1); 0 for none.
    var paddedTo = 0
  }

  /// UDP payload that is asked for, in bytes: what passes without fragments (RFC 9715).
  static let payloadSize: UInt16 = 1232

  /// The message.
  let bytes: [UInt8]
  let hasOptions: Bool
  private let originalName: [UInt8]

  init(_ question: UpstreamQuestion, id: UInt16, style: Style, random: inout RandomSource) {
    originalName = question.name.wire
    hasOptions = style.hasOptions
    var name = originalName
    if style.mixesCase { Self.mixCase(of: &name, &random) }
    var header = MessageHeader(id: id, flags: 0)
    header.recursionDesired = question.recursionDesired
    header.checkingDisabled = question.checkingDisabled
    // A question of the longest name with options takes less than 400 bytes, and 128 of padding.
    bytes =
      [UInt8](upTo: 1024) { writer in
        writer.write(header.id)
        writer.write(header.flags)
        writer.write(UInt16(1))
        writer.write(UInt32(0))
        writer.write(UInt16(style.hasOptions ? 1 : 0))
        writer.write(name)
        writer.write(question.type.rawValue)
        writer.write(question.class.rawValue)
        if style.hasOptions { Self.writeOptions(question, style, &writer) }
      } ?? []
  }

  private static func writeOptions(_ question: UpstreamQuestion, _ style: Style, _ writer: inout WireWriter) {
    writer.write(UInt8(0))
    writer.write(RecordType.opt.rawValue)
    writer.write(payloadSize)
    writer.write(UInt32(question.wantsSignatures ? 0x8000 : 0))
    guard style.paddedTo > 0 else { return writer.write(UInt16(0)) }
    let count = writer.count + 6
    let padding = (style.paddedTo - count % style.paddedTo) % style.paddedTo
    writer.write(UInt16(padding + 4))
    writer.write(paddingOption)
    writer.write(UInt16(padding))
    writer.write([UInt8](repeating: 0, count: padding))
  }

  /// RFC 7830 §3.
  private static let paddingOption: UInt16 = 12

  private static func mixCase(of name: inout [UInt8], _ random: inout RandomSource) {
    var bits: UInt64 = 0
    var left = 0
    for index in name.indices {
      // Length bytes are below 64 and so no letters.
      guard (0x41...0x5a).contains(name[index] & 0xdf), name[index] >= 0x40 else { continue }
      if left == 0 {
        bits = random.next()
        left = 64
      }
      name[index] = name[index] & 0xdf | UInt8(truncatingIfNeeded: bits & 1) << 5
      bits >>= 1
      left -= 1
    }
  }

  /// The identifier.
  var id: UInt16 { UInt16(bytes[0]) << 8 | UInt16(bytes[1]) }

  private var questionEnd: Int { MessageHeader.length + originalName.count + 4 }

  /// What a message is: the answer must have the identifier and repeat the question, byte by byte.
  func verdict(on reply: RawSpan) -> Verdict {
    let end = questionEnd
    guard reply.byteCount >= end else { return .foreign }
    func byte(_ offset: Int) -> UInt8 { reply.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) }
    // The identifier, QR, the opcode, and that there is one question.
    guard byte(0) == bytes[0], byte(1) == bytes[1], byte(2) & 0xf8 == 0x80, byte(4) == 0, byte(5) == 1 else {
      return .foreign
    }
    var isSameCase = true
    for offset in MessageHeader.length..<end {
      let (sent, received) = (bytes[offset], byte(offset))
      if sent == received { continue }
      guard offset < end - 4, sent ^ received == 0x20, (0x41...0x5a).contains(sent & 0xdf), sent >= 0x40 else {
        return .foreign
      }
      isSameCase = false
    }
    return isSameCase ? .answer : .otherCase
  }

  /// The answer with the question as it was asked, identifier 0.
  func restored(_ reply: RawSpan) -> [UInt8] {
    var answer = reply.withUnsafeBytes { [UInt8]($0) }
    answer[0] = 0
    answer[1] = 0
    answer.replaceSubrange(MessageHeader.length..<(MessageHeader.length + originalName.count), with: originalName)
    return answer
  }
}
