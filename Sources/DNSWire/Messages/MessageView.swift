/// A walk over the bytes of a message that checks everything and copies nothing.
///
/// ``next()`` hands out one record after another as offsets into the bytes; when it has returned nil, the whole message
/// has been checked by the rules of the PKARR reference. Anything after the last record is ignored. ``Message`` accepts
/// exactly the same messages.
///
///     var view = try MessageView(bytes.span.bytes)
///     while let record = try view.next() where record.type == .txt { … }
public struct MessageView: ~Escapable {
  /// The message, and whatever follows it.
  public let bytes: RawSpan
  /// Identifier and flags.
  public let header: MessageHeader
  /// Number of entries in each section, as announced (and checked to be possible).
  public let questionCount: Int, answerCount: Int, authorityCount: Int, additionalCount: Int

  private var offset = MessageHeader.length
  private var questionsLeft: Int
  private var recordsRead = 0
  private var memory = NameReader.Memory()
  private let rules: Rules

  /// What is refused beyond a broken structure.
  public enum Rules: Sendable {
    /// What the PKARR reference refuses: the reserved bit Z, and types in questions and classes that it does not know.
    case reference
    /// Nothing: what other DNS servers send may hold any bit, type and class (RFC 8906, RFC 3597).
    case tolerant
  }

  /// Part of a message in which a record stands.
  public enum Section: Sendable {
    /// What was asked for.
    case answer
    /// Who would know.
    case authority
    /// What might be needed next.
    case additional
  }

  /// A record as offsets into the message.
  public struct Record: Sendable {
    private let nameStart: UInt32
    private let dataStart: UInt32
    private let dataLength: UInt16
    /// The type.
    public let type: RecordType
    /// The class field as on the wire: the top bit is the cache-flush flag.
    public let classField: UInt16
    /// How long the record may be kept, in seconds.
    public let ttl: UInt32

    /// Offset of the owner name.
    public var nameOffset: Int { Int(nameStart) }
    /// Where its data are.
    public var data: Range<Int> { Int(dataStart)..<(Int(dataStart) &+ Int(dataLength)) }

    @inline(__always)
    fileprivate init(nameOffset: Int, type: RecordType, classField: UInt16, ttl: UInt32, data: Int, length: Int) {
      nameStart = UInt32(truncatingIfNeeded: nameOffset)
      dataStart = UInt32(truncatingIfNeeded: data)
      dataLength = UInt16(truncatingIfNeeded: length)
      self.type = type
      self.classField = classField
      self.ttl = ttl
    }
  }

  /// A question as offsets into the message.
  public struct Question: Sendable {
    /// Offset of the name.
    public let nameOffset: Int
    /// The type asked for.
    public let type: RecordType
    /// The class field as on the wire.
    public let classField: UInt16
  }

  /// Reads the header and checks that the announced entries can fit into the bytes.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan, rules: Rules = .reference) throws(MessageError) {
    guard bytes.byteCount >= MessageHeader.length else { throw MessageError(.truncated, at: bytes.byteCount) }
    self.bytes = bytes
    self.rules = rules
    func field(_ offset: Int) -> Int {
      Int(UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self)))
    }
    header = MessageHeader(id: UInt16(field(0)), flags: UInt16(field(2)))
    questionCount = field(4)
    answerCount = field(6)
    authorityCount = field(8)
    additionalCount = field(10)
    questionsLeft = questionCount
    guard header.flags & 0x0040 == 0 || rules == .tolerant else { throw MessageError(.reservedBit, at: 2) }
    // The shortest question is a root name and 4 bytes, the shortest record a root name and 10 bytes.
    let least = questionCount &* 5 &+ (answerCount &+ authorityCount &+ additionalCount) &* 11
    guard least <= bytes.byteCount &- MessageHeader.length else {
      throw MessageError(.truncated, at: bytes.byteCount)
    }
  }

  /// The next question; nil once all have been read.
  public mutating func nextQuestion() throws(MessageError) -> Question? {
    guard questionsLeft > 0 else { return nil }
    let start = offset
    let end = try NameReader.skip(bytes, at: start, &memory)
    guard end &+ 4 <= bytes.byteCount else { throw MessageError(.truncated, at: end) }
    let type = RecordType(rawValue: load16(end))
    let classField = load16(end &+ 2)
    guard type.isKnownInQuestions || rules == .tolerant else { throw MessageError(.unknownQuestionType(type), at: end) }
    let value = RecordClass(rawValue: classField & 0x7fff)
    guard value.isKnown || value == .any || rules == .tolerant else {
      throw MessageError(.unknownClass(value), at: end &+ 2)
    }
    offset = end &+ 4
    questionsLeft &-= 1
    return Question(nameOffset: start, type: type, classField: classField)
  }

  /// The next record of any section, its data checked; nil once all have been read. Skips questions not read yet.
  @inline(__always)
  public mutating func next() throws(MessageError) -> Record? {
    while questionsLeft > 0 { _ = try nextQuestion() }
    guard recordsRead < answerCount &+ authorityCount &+ additionalCount else { return nil }
    let start = offset
    let fields = try NameReader.skip(bytes, at: start, &memory)
    guard fields &+ 10 <= bytes.byteCount else { throw MessageError(.truncated, at: fields) }
    let type = RecordType(rawValue: load16(fields))
    let classField = load16(fields &+ 2)
    let data = fields &+ 10
    let end = data &+ Int(load16(fields &+ 8))
    guard end <= bytes.byteCount else { throw MessageError(.recordDataBeyondEnd, at: fields &+ 8) }
    let value = RecordClass(rawValue: classField & 0x7fff)
    guard value.isKnown || type == .opt || rules == .tolerant else {
      throw MessageError(.unknownClass(value), at: fields &+ 2)
    }
    if end > data {
      var reader = RecordDataReader(bytes, from: data, to: end, memory: memory)
      try RecordData.validate(type.rawValue, &reader)
      memory = reader.memory
    }
    offset = end
    recordsRead &+= 1
    let ttl = UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: fields &+ 4, as: UInt32.self))
    return Record(nameOffset: start, type: type, classField: classField, ttl: ttl, data: data, length: end &- data)
  }

  /// The section of the record that ``next()`` returned last.
  public var section: Section {
    if recordsRead <= answerCount { return .answer }
    return recordsRead <= answerCount + authorityCount ? .authority : .additional
  }

  /// Checks the whole message; throws where it is malformed.
  public static func validate(_ bytes: RawSpan) throws(MessageError) {
    var view = try MessageView(bytes)
    while try view.next() != nil {}
  }

  @inline(__always)
  private func load16(_ offset: Int) -> UInt16 {
    UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
  }
}

// MARK: - Copies

extension MessageView {
  /// A copy of the owner name of a record.
  public func name(of record: Record) -> DomainName { NameReader.copy(bytes, at: record.nameOffset) }

  /// True if the owner name of a record is `name`, byte by byte, without copying it.
  public func owns(_ record: Record, _ name: DomainName) -> Bool {
    NameReader.matches(bytes, at: record.nameOffset, name)
  }

  /// A copy of a record that ``next()`` has returned.
  public func copy(_ record: Record) throws(MessageError) -> ResourceRecord {
    var reader = RecordDataReader(bytes, from: record.data.lowerBound, to: record.data.upperBound)
    let data = try RecordData(record.type, from: &reader)
    // The class field of OPT is a payload size, all of it.
    let mask: UInt16 = record.type == .opt ? 0xffff : 0x7fff
    return ResourceRecord(
      name: name(of: record), class: RecordClass(rawValue: record.classField & mask),
      cacheFlush: record.classField & ~mask != 0, ttl: record.ttl, data: data)
  }
}

extension RecordClass {
  /// IN, CS, CH, HS or NONE.
  @inline(__always) var isKnown: Bool { rawValue &- 1 < 4 || rawValue == 254 }
}

extension RecordType {
  /// The types for which the PKARR reference accepts questions.
  var isKnownInQuestions: Bool {
    switch rawValue {
    case 1...18, 20...23, 28, 29, 33, 35...37, 41, 43, 45...49, 63...65, 108, 109, 251...255, 257: true
    default: false
    }
  }
}
