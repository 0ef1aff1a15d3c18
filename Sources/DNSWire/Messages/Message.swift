/// A DNS message that owns its records (RFC 1035 §4).
public struct Message: Hashable, Sendable {
  /// Identifier and flags.
  public var header: MessageHeader
  /// What is asked.
  public var questions: [Question]
  /// The answer section: the only one that counts in PKARR.
  public var answers: [ResourceRecord]
  /// The authority section.
  public var authorities: [ResourceRecord]
  /// The additional section without the first OPT record.
  public var additionals: [ResourceRecord]
  /// The OPT record of the additional section (RFC 6891): its class is the UDP payload size, its TTL holds extended
  /// response code, version and flags.
  public var options: ResourceRecord?

  /// A name, type and class that are asked for.
  public struct Question: Hashable, Sendable {
    /// The name.
    public var name: DomainName
    /// The type.
    public var type: RecordType
    /// The class.
    public var `class`: RecordClass
    /// The top bit of the class field: with mDNS, "answer me directly" (RFC 6762 §5.4).
    public var unicastResponse: Bool

    /// Makes a question; class `IN` if none is given.
    public init(
      name: DomainName, type: RecordType, class: RecordClass = .internet, unicastResponse: Bool = false
    ) {
      self.name = name
      self.type = type
      self.class = `class`
      self.unicastResponse = unicastResponse
    }
  }

  /// Makes a message; the default header is that of a PKARR packet.
  public init(
    header: MessageHeader = MessageHeader(), questions: [Question] = [], answers: [ResourceRecord] = [],
    authorities: [ResourceRecord] = [], additionals: [ResourceRecord] = [], options: ResourceRecord? = nil
  ) {
    self.header = header
    self.questions = questions
    self.answers = answers
    self.authorities = authorities
    self.additionals = additionals
    self.options = options
  }
}

// MARK: - Parsing

extension Message {
  /// Parses a message, by the rules of the PKARR reference if no others are given; bytes after the last record are
  /// ignored.
  public init(parsing bytes: RawSpan, rules: MessageView.Rules = .reference) throws(MessageError) {
    var view = try MessageView(bytes, rules: rules)
    self.init(header: view.header)
    questions.reserveCapacity(view.questionCount)
    answers.reserveCapacity(view.answerCount)
    while let question = try view.nextQuestion() {
      questions.append(
        Question(
          name: NameReader.copy(bytes, at: question.nameOffset), type: question.type,
          class: RecordClass(rawValue: question.classField & 0x7fff),
          unicastResponse: question.classField & 0x8000 != 0))
    }
    while let entry = try view.next() {
      let record = try view.copy(entry)
      switch view.section {
      case .answer: answers.append(record)
      case .authority: authorities.append(record)
      case .additional where record.type == .opt && options == nil: options = record
      case .additional: additionals.append(record)
      }
    }
  }

  /// Parses a message that is held in an array.
  public init(parsing bytes: [UInt8], rules: MessageView.Rules = .reference) throws(MessageError) {
    try self.init(parsing: bytes.span.bytes, rules: rules)
  }
}

// MARK: - Encoding

/// Why a message cannot be encoded.
public enum MessageEncodingError: Error, Hashable, Sendable {
  /// The message takes `length` bytes (at least; exact up to 65535), more than the limit.
  case tooLong(length: Int)
  /// More than 65535 entries in a section.
  case tooManyRecords
}

extension Message {
  /// The bytes of the message with names compressed exactly as the PKARR reference does it.
  ///
  /// - Parameter limit: most bytes that the message may take; 1000 for a PKARR packet.
  public func encoded(limit: Int = 65535) throws(MessageEncodingError) -> [UInt8] {
    guard max(questions.count, answers.count, authorities.count, additionals.count + 1) <= 65535 else {
      throw .tooManyRecords
    }
    if let bytes = encoding(capacity: min(max(limit, 0), 65535)) { return bytes }
    throw .tooLong(length: encoding(capacity: 65535)?.count ?? 65536)
  }

  private func encoding(capacity: Int) -> [UInt8]? {
    MessageWriter.bytes(upTo: capacity) { writer in
      writer.writeHeader(
        header, questions: questions.count, answers: answers.count, authorities: authorities.count,
        additionals: additionals.count + (options == nil ? 0 : 1))
      for question in questions { writer.write(question) }
      writer.write(answers)
      writer.write(authorities)
      if let options { writer.write(options) }
      writer.write(additionals)
    }
  }
}
