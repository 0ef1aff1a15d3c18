import DNSWire

/// How long an answer may be kept by those between us and the client (RFC 8484 §5.1).
enum AnswerFreshness {
  /// Seconds: the least time to live of the answers, or for negative answers what their SOA says (RFC 2308 §5); nil for what
  /// must not be kept: failures, refusals, what is cut off or answers no question, and negative answers that do not say.
  static func seconds(_ answer: [UInt8]) -> UInt32? {
    do throws(MessageError) {
      return try seconds(in: answer.span.bytes)
    } catch {
      // Not every question can be read.
      return readable(answer).flatMap { try? seconds(in: $0.span.bytes) }
    }
  }

  private static func seconds(in answer: RawSpan) throws(MessageError) -> UInt32? {
    var view = try MessageView(answer)
    guard view.questionCount == 1, [0, 3].contains(view.header.responseCode), !view.header.isTruncated else {
      return nil
    }
    var least: UInt32?
    var negative: UInt32?
    while let record = try view.next() {
      switch view.section {
      case .answer: least = min(least ?? .max, record.ttl)
      case .authority where record.type == .soa && record.data.count >= 22:
        // The last of the five numbers at the end.
        let minimum = UInt32(
          bigEndian: view.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: record.data.upperBound - 4, as: UInt32.self))
        negative = min(record.ttl, minimum)
      case .authority, .additional: break
      }
    }
    // What an alias leads to that does not exist is negative as well, however long the alias lives.
    if view.header.responseCode == 3 { return negative.map { min($0, least ?? .max) } }
    return least ?? negative
  }

  /// The message with its question made one of type A and class IN, so that it can be read whatever was asked; nil if it is
  /// none.
  static func readable(_ message: [UInt8]) -> [UInt8]? {
    guard let end = FirstQuestion.end(in: message.span.bytes) else { return nil }
    var readable = message
    (readable[end - 4], readable[end - 3], readable[end - 2], readable[end - 1]) = (0, 1, 0, 1)
    readable[3] &= ~0x40
    return readable
  }
}
