import DNSResolution
import DNSWire
import Pkarr
import PlainText

/// An answer as the JSON that the public resolvers write (`application/dns-json`), with what is known of the key.
enum AnswerJSON {
  /// The media type.
  static let mediaType = "application/dns-json"

  /// The object; nil if the message cannot be read.
  static func object(_ answer: [UInt8], provenance: (key: PublicKey, PacketProvenance)?) -> JSON? {
    guard let question = FirstQuestion(answer.span.bytes), let readable = AnswerFreshness.readable(answer),
      let message = try? Message(parsing: readable)
    else { return nil }
    let header = message.header
    let extended = message.options.map { Int($0.ttl >> 24) << 4 } ?? 0
    var fields: [JSON.Field] = [
      .init("Status", JSON(extended | Int(header.responseCode))), .init("TC", .bool(header.isTruncated)),
      .init("RD", .bool(header.recursionDesired)), .init("RA", .bool(header.recursionAvailable)),
      .init("AD", .bool(header.isAuthentic)), .init("CD", .bool(header.checkingDisabled)),
      .init(
        "Question",
        [.object([.init("name", .string(question.name.description)), .init("type", JSON(question.type.rawValue))])]),
    ]
    for (name, records) in [
      ("Answer", message.answers), ("Authority", message.authorities), ("Additional", message.additionals),
    ] where !records.isEmpty {
      fields.append(.init(name, .array(records.map(record))))
    }
    let errors = extendedErrors(answer)
    if !errors.isEmpty {
      fields.append(.init("Comment", .string(errors.map { "EDE \($0.code): \($0.text)" }.joined(separator: "; "))))
      fields.append(
        .init(
          "extended_dns_errors",
          .array(
            errors.map {
              .object([.init("info_code", JSON($0.code)), .init("extra_text", .string($0.text))])
            })))
    }
    if let provenance { fields.append(.init("pkarr", pkarr(provenance.key, provenance.1))) }
    return .object(fields)
  }

  private static func record(_ record: ResourceRecord) -> JSON {
    .object([
      .init("name", .string(record.name.description)), .init("type", JSON(record.data.type.rawValue)),
      .init("TTL", JSON(record.ttl)), .init("data", .string(record.data.presentation)),
    ])
  }

  private static func pkarr(_ key: PublicKey, _ provenance: PacketProvenance) -> JSON {
    let source =
      switch provenance.source {
      case .dht: "dht"
      case .relay(let url): url
      case .disk: "disk"
      }
    return .object([
      .init("key", .string(key.z32)), .init("timestamp", JSON(provenance.timestamp.microseconds)),
      .init("source", .string(source)), .init("age", JSON(provenance.age)), .init("stale", .bool(provenance.isStale)),
    ])
  }

  /// The extended errors of an answer (RFC 8914).
  static func extendedErrors(_ answer: [UInt8]) -> [(code: UInt16, text: String)] {
    guard let readable = AnswerFreshness.readable(answer), let data = optionData(readable) else { return [] }
    var errors: [(code: UInt16, text: String)] = []
    var rest = data[...]
    func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
    while rest.count >= 4 {
      let code = number(rest.prefix(2))
      let length = number(rest.dropFirst(2).prefix(2))
      let value = rest.dropFirst(4).prefix(length)
      rest = rest.dropFirst(4 + length)
      guard code == 15, value.count >= 2 else { continue }
      errors.append((UInt16(number(value.prefix(2))), String(decoding: value.dropFirst(2), as: UTF8.self)))
    }
    return errors
  }

  private static func optionData(_ readable: [UInt8]) -> [UInt8]? {
    do throws(MessageError) {
      var view = try MessageView(readable.span.bytes)
      while let record = try view.next() {
        if record.type == .opt { return Array(readable[record.data]) }
      }
    } catch {
      return nil
    }
    return nil
  }
}
