import DNSWire

/// An answer in the making: records and flags, before it is bytes.
struct AnswerDraft: Sendable {
  /// The name asked for, in lower case.
  var name: DomainName
  /// The type asked for.
  var type: RecordType
  /// The class asked for.
  var `class` = RecordClass.internet
  var code = ResponseCode.noError
  /// AA.
  var isAuthoritative = false
  /// TC: what another server gave was cut.
  var isTruncated = false
  /// AD of another server.
  var isAuthentic = false
  /// Every record comes from a verified packet.
  var isVerified = false
  var answers: [ResourceRecord] = []
  var authorities: [ResourceRecord] = []
  var additionals: [ResourceRecord] = []
  var error: ExtendedError?

  /// The message with its names compressed, and where its TTLs are. What does not fit into a message is left out, the
  /// additional section first.
  func composed() -> ComposedAnswer {
    compose(answers, authorities, additionals) ?? compose(answers, authorities, []) ?? composedEmpty()
  }

  private func composedEmpty() -> ComposedAnswer {
    var cut = self
    cut.isTruncated = true
    guard let answer = cut.compose([], [], []) else { preconditionFailure("a question fits into a message") }
    return answer
  }

  private func compose(
    _ answers: [ResourceRecord], _ authorities: [ResourceRecord], _ additionals: [ResourceRecord]
  ) -> ComposedAnswer? {
    withUnsafeTemporaryAllocation(byteCount: 65_535, alignment: 8) { buffer -> ComposedAnswer? in
      var writer = MessageWriter(buffer)
      var header = MessageHeader()
      header.isAuthoritative = isAuthoritative
      header.isTruncated = isTruncated
      header.isAuthentic = isAuthentic
      header.responseCode = UInt8(truncatingIfNeeded: code.rawValue & 15)
      writer.writeHeader(
        header, questions: 1, answers: answers.count, authorities: authorities.count, additionals: additionals.count)
      writer.write(Message.Question(name: name, type: type, class: `class`))
      let questionEnd = writer.output.count
      writer.write(answers)
      writer.write(authorities)
      let additionalStart = writer.output.count
      writer.write(additionals)
      // Room is left for an OPT record with what it may hold.
      guard !writer.output.overflowed, writer.output.count <= 65_535 - 512 else { return nil }
      return Self.finish(
        writer.output.written, questionEnd: questionEnd, additionalStart: additionalStart, error: error,
        isVerified: isVerified)
    }
  }

  private static func finish(
    _ message: UnsafeRawBufferPointer, questionEnd: Int, additionalStart: Int, error: ExtendedError?, isVerified: Bool
  ) -> ComposedAnswer {
    var content = [UInt8](message)
    var shape = AnswerShape()
    shape.messageLength = UInt16(truncatingIfNeeded: message.count)
    shape.questionLength = UInt16(truncatingIfNeeded: questionEnd - MessageHeader.length)
    shape.additionalStart = UInt16(truncatingIfNeeded: additionalStart)
    shape.isVerified = isVerified
    for offset in ttlOffsets(message) {
      content.append(UInt8(truncatingIfNeeded: offset >> 8))
      content.append(UInt8(truncatingIfNeeded: offset))
      shape.ttlCount += 1
    }
    if let error {
      shape.errorCode = error.code
      shape.errorLength = UInt8(error.text.utf8.count)
      content.append(contentsOf: error.text.utf8)
    }
    return ComposedAnswer(shape: shape, content: content)
  }

  private static func ttlOffsets(_ message: UnsafeRawBufferPointer) -> [Int] {
    var offsets: [Int] = []
    guard var view = try? MessageView(message.bytes, rules: .tolerant) else { return [] }
    while let record = try? view.next() { offsets.append(record.data.lowerBound - 6) }
    return offsets
  }
}
