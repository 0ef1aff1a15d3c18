import DNSWire

/// What a query says besides the name it asks for: numbers only, so that nothing is allocated for it.
struct ClientQuery: Hashable, Sendable {
  var id: UInt16
  var flags: UInt16
  /// Bytes of name, type and class from offset 12 on; 0 if there is no question.
  var questionLength = 0
  var type = RecordType(rawValue: 0)
  var classValue: UInt16 = 0

  /// True if there is an OPT record (RFC 6891), of which the rest tells.
  var hasOptions = false
  var version: UInt8 = 0
  var udpSize: UInt16 = 512
  var wantsDNSSEC = false
  /// The client's part of a cookie, as it lies in memory (RFC 7873).
  var clientCookie: UInt64?
  /// Where the server's part stands in the message.
  var serverCookieOffset = 0
  var serverCookieLength = 0
  /// The keepalive option was there (RFC 7828).
  var wantsKeepalive = false
  /// The padding option was there (RFC 7830).
  var isPadded = false
  /// The client wants to know which server answers (RFC 5001).
  var wantsServerIdentifier = false

  var header: MessageHeader { MessageHeader(id: id, flags: flags) }
  var recursionDesired: Bool { flags & 0x0100 != 0 }
  var checkingDisabled: Bool { flags & 0x0010 != 0 }
  /// AD or DO: the client understands the AD bit of answers (RFC 6840 §5.7).
  var understandsAD: Bool { flags & 0x0020 != 0 || wantsDNSSEC }
}

/// How the bytes of a query were read.
enum QueryReading: Hashable {
  /// A query with one question.
  case query(ClientQuery)
  /// A query without a question that only wants a cookie (RFC 7873 §5.4).
  case cookieOnly(ClientQuery)
  /// To be answered with an error at once.
  case reject(ClientQuery, ResponseCode)
  /// Not to be answered at all: too short, or a response.
  case drop
}

/// A response code, the extended ones included (RFC 6895 §2.3).
enum ResponseCode: UInt16, Hashable, Sendable {
  case noError = 0
  case formatError = 1
  case serverFailure = 2
  case noSuchName = 3
  case notImplemented = 4
  case refused = 5
  /// A name that exists when it should not: a DNAME that leads to a name too long (RFC 6672 §2.2).
  case nameExists = 6
  case badVersion = 16
  /// A cookie of ours is wanted (RFC 7873 §8).
  case badCookie = 23
}

/// Reads queries: one pass over the bytes, each length checked before it is believed, no compressed name followed.
enum QueryReader {
  /// Reads one message (RFC 1035 §4, RFC 6891 §6.1).
  static func read(_ bytes: RawSpan) -> QueryReading {
    guard bytes.byteCount >= MessageHeader.length else { return .drop }
    var query = ClientQuery(id: load16(bytes, 0), flags: load16(bytes, 2))
    guard query.flags & 0x8000 == 0 else { return .drop }
    guard query.flags & 0x7800 == 0 else { return .reject(query, .notImplemented) }
    let questions = load16(bytes, 4)
    guard questions <= 1 else { return .reject(query, .formatError) }
    var offset = MessageHeader.length
    if questions == 1 {
      guard let end = skipQuestion(bytes, &query) else { return .reject(query, .formatError) }
      offset = end
    }
    guard readRecords(bytes, from: offset, &query) else {
      query.questionLength = 0
      query.hasOptions = false
      return .reject(query, .formatError)
    }
    guard query.version == 0 else { return .reject(query, .badVersion) }
    if questions == 0 { return query.clientCookie == nil ? .reject(query, .formatError) : .cookieOnly(query) }
    return .query(query)
  }

  @inline(__always)
  private static func load16(_ bytes: RawSpan, _ offset: Int) -> UInt16 {
    UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
  }

  @inline(__always)
  private static func load8(_ bytes: RawSpan, _ offset: Int) -> Int {
    Int(bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
  }

  /// The offset after the question, whose name must not be compressed: nothing stands before it.
  @inline(__always)
  private static func skipQuestion(_ bytes: RawSpan, _ query: inout ClientQuery) -> Int? {
    var position = MessageHeader.length
    while true {
      guard position < bytes.byteCount else { return nil }
      let length = load8(bytes, position)
      position &+= length &+ 1
      if length == 0 { break }
      guard length <= DomainName.maximumLabelLength, position &- MessageHeader.length < DomainName.maximumLength else {
        return nil
      }
    }
    guard position &+ 4 <= bytes.byteCount else { return nil }
    query.type = RecordType(rawValue: load16(bytes, position))
    query.classValue = load16(bytes, position &+ 2)
    query.questionLength = position &+ 4 &- MessageHeader.length
    return position &+ 4
  }

  /// Walks over the records to the OPT record; false if something is broken, or if there are two.
  private static func readRecords(_ bytes: RawSpan, from start: Int, _ query: inout ClientQuery) -> Bool {
    let others = Int(load16(bytes, 6)) &+ Int(load16(bytes, 8))
    let count = others &+ Int(load16(bytes, 10))
    guard count &* 11 <= bytes.byteCount &- start else { return false }
    var offset = start
    for index in 0..<count {
      let name = offset
      guard let fields = skipName(bytes, at: name), fields &+ 10 <= bytes.byteCount else { return false }
      let data = fields &+ 10
      let end = data &+ Int(load16(bytes, fields &+ 8))
      guard end <= bytes.byteCount else { return false }
      if index >= others, load16(bytes, fields) == RecordType.opt.rawValue {
        guard !query.hasOptions, fields == name &+ 1 else { return false }
        query.hasOptions = true
        query.udpSize = max(512, load16(bytes, fields &+ 2))
        query.version = UInt8(truncatingIfNeeded: load8(bytes, fields &+ 5))
        query.wantsDNSSEC = load16(bytes, fields &+ 6) & 0x8000 != 0
        // A later version may give its options another form: only version 0 is read.
        guard query.version != 0 || readOptions(bytes, from: data, to: end, &query) else { return false }
      }
      offset = end
    }
    return true
  }

  @inline(__always)
  private static func skipName(_ bytes: RawSpan, at start: Int) -> Int? {
    var position = start
    while position < bytes.byteCount {
      let length = load8(bytes, position)
      if length == 0 { return position &+ 1 }
      if length >= 0xc0 { return position &+ 2 }
      guard length <= DomainName.maximumLabelLength else { return nil }
      position &+= length &+ 1
    }
    return nil
  }

  private static func readOptions(_ bytes: RawSpan, from start: Int, to end: Int, _ query: inout ClientQuery) -> Bool {
    var offset = start
    while offset < end {
      guard offset &+ 4 <= end else { return false }
      let code = load16(bytes, offset)
      let length = Int(load16(bytes, offset &+ 2))
      offset &+= 4
      guard offset &+ length <= end else { return false }
      switch code {
      case EDNSOption.cookie where query.clientCookie == nil:
        // RFC 7873 §5.2.2: anything but these lengths is malformed.
        guard length == 8 || (16...40).contains(length) else { return false }
        query.clientCookie = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
        query.serverCookieOffset = offset &+ 8
        query.serverCookieLength = length &- 8
      case EDNSOption.keepalive: query.wantsKeepalive = true
      case EDNSOption.padding: query.isPadded = true
      case EDNSOption.serverIdentifier: query.wantsServerIdentifier = true
      default: break
      }
      offset &+= length
    }
    return true
  }
}

/// Numbers of EDNS options (IANA registry of DNS EDNS0 option codes).
enum EDNSOption {
  /// RFC 5001.
  static let serverIdentifier: UInt16 = 3
  /// RFC 7873.
  static let cookie: UInt16 = 10
  /// RFC 7828.
  static let keepalive: UInt16 = 11
  /// RFC 7830.
  static let padding: UInt16 = 12
  /// RFC 8914.
  static let extendedError: UInt16 = 15
}
