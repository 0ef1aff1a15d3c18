import DNSWire

/// A question of class IN in lower case, with what else makes answers differ: what one resolution is about.
struct CanonicalQuestion: Hashable, Sendable {
  /// The name, in lower case.
  var name: DomainName
  /// The type.
  var type: RecordType
  /// What else tells answers apart.
  var variant: AnswerVariant
}

/// What besides the question makes answers differ.
struct AnswerVariant: OptionSet, Hashable, Sendable {
  let rawValue: UInt8

  /// CD=1: other servers are asked not to validate.
  static let checkingDisabled = AnswerVariant(rawValue: 1)
  /// DO=1: with signatures.
  static let dnssec = AnswerVariant(rawValue: 2)
  /// The client may see private addresses.
  static let seesPrivateAddresses = AnswerVariant(rawValue: 4)
  /// RD=0: nobody may be asked.
  static let fromMemoryOnly = AnswerVariant(rawValue: 8)

  /// The part that matters for other servers' answers.
  var forwarded: AnswerVariant { intersection([.checkingDisabled, .dnssec]) }
  /// The part that matters for key answers.
  var ofKeys: AnswerVariant { intersection(.seesPrivateAddresses) }
}

/// Name in lower case, type and class as on the wire, and their hash: what caches are searched by.
struct QuestionScratch: ~Copyable {
  /// Room for 255 bytes of name, four of type and class, and a whole last word.
  private let bytes = UnsafeMutableRawPointer.allocate(byteCount: 280, alignment: 8)
  private(set) var count = 0
  private(set) var hash: UInt64 = 0
  private let seed: UInt64

  /// The seed keeps others from preparing names with equal hashes.
  init(seed: UInt64) { self.seed = seed | 1 }

  deinit { bytes.deallocate() }

  /// The question in lower case: name, type, class.
  var question: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }

  /// Takes the question of a message: at most 259 bytes, of which the last four are type and class.
  @inline(__always)
  mutating func set(_ question: RawSpan) {
    count = min(question.byteCount, 259)
    let nameLength = count &- 4
    let length = count
    question.withUnsafeBytes { source in
      bytes.copyMemory(from: source.baseAddress!, byteCount: length)
    }
    var offset = 0
    while offset < nameLength {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      bytes.storeBytes(of: Self.lowercased(word), toByteOffset: offset, as: UInt64.self)
      offset &+= 8
    }
    // Type and class may have been changed by the last word.
    question.withUnsafeBytes { source in
      (bytes + nameLength).copyMemory(from: source.baseAddress! + nameLength, byteCount: length &- nameLength)
    }
    hash = Self.hash(UnsafeRawBufferPointer(start: bytes, count: count), seed: seed)
  }

  /// The hash of a question in lower case.
  func hash(of question: UnsafeRawBufferPointer) -> UInt64 { Self.hash(question, seed: seed) }

  /// Eight bytes with ASCII letters in lower case.
  @inline(__always)
  private static func lowercased(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let low = word & (ones &* 0x7f)
    // The top bit of each byte: set if the byte is at least A, and if it is beyond Z.
    let atLeastA = low &+ ones &* (0x80 - 0x41)
    let beyondZ = low &+ ones &* (0x80 - 0x5b)
    let isUpper = (atLeastA & ~beyondZ & ~word) & (ones &* 0x80)
    return word | isUpper >> 2
  }

  @inline(__always)
  private static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
      let product = a.multipliedFullWidth(by: b)
      return product.high ^ product.low
    }
    var state = seed ^ UInt64(truncatingIfNeeded: bytes.count) &* 0x9e37_79b9_7f4a_7c15
    var offset = 0
    while offset &+ 8 <= bytes.count {
      state = mix(state ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self), 0xa076_1d64_78bd_642f ^ seed)
      offset &+= 8
    }
    var tail: UInt64 = 0
    while offset < bytes.count {
      tail = tail << 8 | UInt64(bytes[offset])
      offset &+= 1
    }
    return mix(state ^ tail, 0xe703_7ed1_a0b4_28db ^ seed)
  }
}

extension ForwardQuestion {
  /// What its answers are kept under.
  var variant: AnswerVariant {
    var variant = AnswerVariant()
    if checkingDisabled { variant.insert(.checkingDisabled) }
    if wantsDNSSEC { variant.insert(.dnssec) }
    return variant
  }
}
