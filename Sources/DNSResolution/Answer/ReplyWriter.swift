import DNSWire

/// Makes the message for a client out of a ready answer: a copy with id, flags, the question as it was asked, TTLs and an
/// OPT record of its own. Nothing is allocated.
struct ReplyWriter {
  /// What becomes of the TTLs.
  enum TTLChange {
    /// So many seconds have passed. No TTL goes below 1.
    case passed(UInt32)
    /// The data are stale: at most so many seconds.
    case atMost(UInt32)
  }

  /// A cookie for the client: its own part, then the server's in two halves.
  struct Cookie {
    var client: UInt64
    var fields: UInt64
    var hash: UInt64
  }

  /// An extended error: its code, and where its text is.
  private struct Explanation {
    var code: UInt16
    var text: UnsafeRawBufferPointer
  }

  /// What an operator can set about messages.
  struct Settings {
    let maximumUDPSize: UInt16
    let keepaliveUnits: UInt16
    let paddingBlock: Int
    let explains: Bool
    let marksVerified: Bool
    /// Which server this is (RFC 5001). Whoever makes the settings keeps the bytes alive.
    let identifier: UnsafeRawBufferPointer

    init(_ policy: ResolutionPolicy, identifier: UnsafeRawBufferPointer) {
      self.identifier = identifier
      maximumUDPSize = min(max(policy.maximumUDPSize, 512), 1400)
      keepaliveUnits = policy.keepaliveUnits
      paddingBlock = Int(policy.paddingBlock)
      explains = policy.extendedErrors
      marksVerified = policy.marksVerifiedKeyData
    }
  }

  let query: ClientQuery
  let transport: QueryOrigin.Transport
  /// Bytes that the answer may have.
  let limit: Int
  private let settings: Settings
  private let cookie: Cookie?

  /// `room` is the size of the buffer that will be written to.
  init(
    query: ClientQuery, transport: QueryOrigin.Transport, settings: Settings, room: Int, cookie: Cookie?
  ) {
    self.query = query
    self.transport = transport
    self.settings = settings
    limit = min(room, transport == .udp ? Int(min(query.udpSize, settings.maximumUDPSize)) : 65_535)
    self.cookie = query.hasOptions ? cookie : nil
  }

  private var explains: Bool { settings.explains && query.hasOptions }
  private var marksVerified: Bool { settings.marksVerified && query.understandsAD }

  /// Writes an answer. `question` is name, type and class as the client sent them. Returns the number of bytes, and
  /// whether the answer was cut; 0 bytes if there is no room at all.
  func write(
    _ content: UnsafeRawBufferPointer, _ shape: AnswerShape, question: RawSpan, ttl: TTLChange,
    error: ExtendedError? = nil, to buffer: UnsafeMutableRawBufferPointer
  ) -> (byteCount: Int, isCut: Bool) {
    if let error {
      var text = error.text
      return text.withUTF8 { text in
        let explanation = Explanation(code: error.code, text: UnsafeRawBufferPointer(text))
        return write(content, shape, question: question, ttl: ttl, explanation: explanation, to: buffer)
      }
    }
    guard shape.errorCode != .max else {
      return write(content, shape, question: question, ttl: ttl, explanation: nil, to: buffer)
    }
    let start = shape.contentLength - Int(shape.errorLength)
    let text = UnsafeRawBufferPointer(rebasing: content[start..<shape.contentLength])
    let explanation = Explanation(code: shape.errorCode, text: text)
    return write(content, shape, question: question, ttl: ttl, explanation: explanation, to: buffer)
  }

  private func write(
    _ content: UnsafeRawBufferPointer, _ shape: AnswerShape, question: RawSpan, ttl: TTLChange,
    explanation: Explanation?, to buffer: UnsafeMutableRawBufferPointer
  ) -> (byteCount: Int, isCut: Bool) {
    guard let base = buffer.baseAddress, let source = content.baseAddress else { return (0, false) }
    let limit = min(limit, buffer.count)
    let options = optionsLength(explanation)
    var length = Int(shape.messageLength)
    var flags = source.loadUnaligned(fromByteOffset: 2, as: UInt16.self).bigEndian
    var isCut = false
    if length &+ options > limit {
      length = Int(shape.additionalStart)
      if length &+ options > limit {
        // Required data do not fit (RFC 2181 §9): nothing but the question, and try again over TCP.
        length = MessageHeader.length &+ Int(shape.questionLength)
        isCut = true
        flags |= 0x0200
        guard length &+ options <= limit else { return (0, true) }
      }
    }
    base.copyMemory(from: source, byteCount: length)
    let isShortened = length < Int(shape.messageLength)
    patchHeader(base, flags: flags, isVerified: shape.isVerified, isShortened: isShortened, isCut: isCut)
    question.withUnsafeBytes { bytes in
      let count = min(bytes.count, Int(shape.questionLength))
      (base + MessageHeader.length).copyMemory(from: bytes.baseAddress!, byteCount: count)
    }
    patchTTLs(base, length, source + Int(shape.messageLength), Int(shape.ttlCount), ttl)
    let count = query.hasOptions ? writeOptions(base, at: length, limit: limit, explanation) : length
    return (count, isCut)
  }

  @inline(__always)
  private func patchHeader(
    _ base: UnsafeMutableRawPointer, flags stored: UInt16, isVerified: Bool, isShortened: Bool, isCut: Bool
  ) {
    // QR and RA; AA, TC, AD and the code of the answer; RD and CD of the query.
    var flags = 0x8080 | stored & 0x062f | query.flags & 0x0110
    if !query.understandsAD { flags &= ~0x0020 }
    if isVerified, marksVerified { flags |= 0x0020 }
    store16(base, 0, query.id)
    store16(base, 2, flags)
    if isCut {
      store16(base, 6, 0)
      store16(base, 8, 0)
    }
    let additionals = isShortened ? 0 : base.loadUnaligned(fromByteOffset: 10, as: UInt16.self).bigEndian
    store16(base, 10, additionals &+ (query.hasOptions ? 1 : 0))
  }

  @inline(__always)
  private func patchTTLs(
    _ base: UnsafeMutableRawPointer, _ length: Int, _ offsets: UnsafeRawPointer, _ count: Int, _ change: TTLChange
  ) {
    for index in 0..<count {
      let offset = Int(offsets.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self).bigEndian)
      guard offset &+ 4 <= length else { return }
      let ttl = base.loadUnaligned(fromByteOffset: offset, as: UInt32.self).bigEndian
      let left: UInt32
      switch change {
      case .passed(0): continue
      case .passed(let seconds): left = ttl == 0 ? 0 : ttl > seconds ? ttl &- seconds : 1
      case .atMost(let seconds): left = min(ttl, seconds)
      }
      base.storeBytes(of: left.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
  }

  @inline(__always)
  private func store16(_ base: UnsafeMutableRawPointer, _ offset: Int, _ value: UInt16) {
    base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
  }
}

// MARK: - EDNS

extension ReplyWriter {
  /// Bytes of the OPT record without padding.
  private func optionsLength(_ explanation: Explanation?) -> Int {
    guard query.hasOptions else { return 0 }
    var length = 11
    if cookie != nil { length &+= 28 }
    if explains, let explanation { length &+= 6 &+ explanation.text.count }
    if tellsKeepalive { length &+= 6 }
    if tellsIdentifier { length &+= 4 &+ settings.identifier.count }
    return length
  }

  /// RFC 7828 §3.3.2: only over a stream, only to clients that asked.
  private var tellsKeepalive: Bool { query.wantsKeepalive && transport.isStream }

  /// RFC 5001 §2: only to clients that asked.
  private var tellsIdentifier: Bool { query.wantsServerIdentifier && !settings.identifier.isEmpty }

  private func writeOptions(
    _ base: UnsafeMutableRawPointer, at start: Int, limit: Int, _ explanation: Explanation?, code: UInt8 = 0
  ) -> Int {
    base.storeBytes(of: 0, toByteOffset: start, as: UInt8.self)
    store16(base, start &+ 1, RecordType.opt.rawValue)
    store16(base, start &+ 3, settings.maximumUDPSize)
    base.storeBytes(of: code, toByteOffset: start &+ 5, as: UInt8.self)
    base.storeBytes(of: 0, toByteOffset: start &+ 6, as: UInt8.self)
    store16(base, start &+ 7, query.wantsDNSSEC ? 0x8000 : 0)
    var end = start &+ 11
    if let cookie {
      store16(base, end, EDNSOption.cookie)
      store16(base, end &+ 2, 24)
      base.storeBytes(of: cookie.client, toByteOffset: end &+ 4, as: UInt64.self)
      base.storeBytes(of: cookie.fields.bigEndian, toByteOffset: end &+ 12, as: UInt64.self)
      base.storeBytes(of: cookie.hash, toByteOffset: end &+ 20, as: UInt64.self)
      end &+= 28
    }
    if tellsKeepalive {
      store16(base, end, EDNSOption.keepalive)
      store16(base, end &+ 2, 2)
      store16(base, end &+ 4, settings.keepaliveUnits)
      end &+= 6
    }
    if tellsIdentifier, let identifier = settings.identifier.baseAddress {
      store16(base, end, EDNSOption.serverIdentifier)
      store16(base, end &+ 2, UInt16(truncatingIfNeeded: settings.identifier.count))
      (base + end + 4).copyMemory(from: identifier, byteCount: settings.identifier.count)
      end &+= 4 &+ settings.identifier.count
    }
    if explains, let explanation {
      store16(base, end, EDNSOption.extendedError)
      store16(base, end &+ 2, UInt16(truncatingIfNeeded: explanation.text.count &+ 2))
      store16(base, end &+ 4, explanation.code)
      if let text = explanation.text.baseAddress {
        (base + end + 6).copyMemory(from: text, byteCount: explanation.text.count)
      }
      end &+= 6 &+ explanation.text.count
    }
    end = writePadding(base, at: end, limit: limit)
    store16(base, start &+ 9, UInt16(truncatingIfNeeded: end &- start &- 11))
    return end
  }

  /// Fills up to a whole block (RFC 8467 §4.1), or to the limit if the block goes beyond it.
  private func writePadding(_ base: UnsafeMutableRawPointer, at end: Int, limit: Int) -> Int {
    let paddingBlock = settings.paddingBlock
    guard query.isPadded, transport.isEncrypted, paddingBlock > 0, end &+ 4 <= limit else { return end }
    let blocks = (end &+ 4 &+ paddingBlock &- 1) / paddingBlock
    let count = min(blocks &* paddingBlock, limit) &- end &- 4
    store16(base, end, EDNSOption.padding)
    store16(base, end &+ 2, UInt16(truncatingIfNeeded: count))
    (base + end + 4).initializeMemory(as: UInt8.self, repeating: 0, count: count)
    return end &+ 4 &+ count
  }

  /// Writes an answer without records: header, the question if there is one, OPT.
  func writeEmpty(
    _ code: ResponseCode, question: RawSpan?, isTruncated: Bool = false, error: ExtendedError? = nil,
    to buffer: UnsafeMutableRawBufferPointer
  ) -> Int {
    var text = error?.text ?? ""
    return text.withUTF8 { text in
      let explanation = error.map { Explanation(code: $0.code, text: UnsafeRawBufferPointer(text)) }
      let length = MessageHeader.length + (question?.byteCount ?? 0)
      guard let base = buffer.baseAddress, length + optionsLength(explanation) <= min(limit, buffer.count) else {
        return 0
      }
      store16(base, 0, query.id)
      // The opcode comes back as well.
      let flags = 0x8080 | query.flags & 0x7910 | (isTruncated ? 0x0200 : 0)
      store16(base, 2, flags | code.rawValue & 15)
      store16(base, 4, question == nil ? 0 : 1)
      store16(base, 6, 0)
      store16(base, 8, 0)
      store16(base, 10, query.hasOptions ? 1 : 0)
      question?.withUnsafeBytes { (base + MessageHeader.length).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      guard query.hasOptions else { return length }
      return writeOptions(
        base, at: length, limit: min(limit, buffer.count), explanation, code: UInt8(code.rawValue >> 4))
    }
  }
}
