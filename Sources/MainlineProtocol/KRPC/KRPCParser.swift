import Bencode

/// Reads datagrams leniently (see `BencodeScanner`) and refuses only what cannot be a message.
struct KRPCParser: ~Escapable {
  private var scanner: BencodeScanner
  private var kind: UInt8 = 0
  /// The dictionaries `a` and `r` as they stand in the datagram; `message.body` holds the fields of the first.
  private var arguments = ByteRange.absent
  private var results = ByteRange.absent

  /// Larger datagrams are dropped unread.
  static let maximumDatagramSize = 2048

  @_lifetime(copy datagram)
  private init(_ datagram: RawSpan) { scanner = BencodeScanner(datagram) }

  /// The message in `datagram`; nil if it is not one dictionary with a usable `t` and `y`, or breaks a limit.
  static func parse(_ datagram: RawSpan) -> KRPCMessage? {
    var message = KRPCMessage()
    return parse(datagram, into: &message) ? message : nil
  }

  /// Reads `datagram` into an empty message, which spares copies; false if it is none.
  @inline(__always)
  static func parse(_ datagram: RawSpan, into message: inout KRPCMessage) -> Bool {
    guard datagram.byteCount <= maximumDatagramSize else { return false }
    var parser = KRPCParser(datagram)
    do {
      return try parser.parse(&message)
    } catch {
      return false
    }
  }

  private mutating func parse(_ message: inout KRPCMessage) throws(BencodeError) -> Bool {
    guard try scanner.take(UInt8(ascii: "d")) else { return false }
    while try !scanner.take(UInt8(ascii: "e")) {
      var key = scanner.takeShortString()
      if key == 0 { key = scanner.bytes.packedKey(try scanner.readString()) }
      guard try envelopeField(key, &message) else { return false }
    }
    guard message.transaction.isPresent, message.transaction.count > 0,
      message.transaction.count <= KRPCMessage.maximumTransactionSize
    else { return false }
    return try finish(&message)
  }

  /// False where a known key stands twice with different values, or a known integer exceeds 64 bits.
  @inline(__always)
  private mutating func envelopeField(_ key: UInt64, _ message: inout KRPCMessage) throws(BencodeError) -> Bool {
    switch key {
    case Key.a, Key.r: return try dictionary(isArguments: key == Key.a, &message)
    case Key.t: return try scanner.string(&message.transaction)
    case Key.y: return try kindByte()
    case Key.q: return try scanner.string(&message.method)
    case Key.v: return try scanner.string(&message.version)
    case Key.ip: return try scanner.string(&message.observedEndpoint)
    case Key.e: return try scanner.any(&message.error)
    case Key.ro:
      var value: Int64?
      guard try scanner.integer(&value) else { return false }
      if let value, value != 0 { message.isReadOnly = true }
      return true
    default:
      _ = try scanner.skipValue()
      return true
    }
  }

  private mutating func kindByte() throws(BencodeError) -> Bool {
    var value = ByteRange.absent
    guard try scanner.string(&value), value.count == 1 else { return false }
    let byte = scanner.bytes.unsafeLoad(fromByteOffset: Int(value.offset), as: UInt8.self)
    defer { kind = byte }
    return kind == 0 || kind == byte
  }

  /// Reads the fields of the first of `a` and `r` in passing, and remembers where the other stands.
  @inline(__always)
  private mutating func dictionary(
    isArguments: Bool, _ message: inout KRPCMessage
  ) throws(BencodeError) -> Bool {
    let isFirst = !arguments.isPresent && !results.isPresent
    guard isFirst, try scanner.peek() == UInt8(ascii: "d") else {
      return isArguments ? try scanner.any(&arguments) : try scanner.any(&results)
    }
    let start = scanner.position
    guard try fields(&message.body) else { return false }
    let range = ByteRange(offset: start, count: scanner.position &- start)
    if isArguments { arguments = range } else { results = range }
    message.hasBody = true
    return true
  }

  /// Makes sure that the fields are those of `a` in a query and of `r` in a response.
  private mutating func finish(_ message: inout KRPCMessage) throws(BencodeError) -> Bool {
    let wanted: ByteRange
    let other: ByteRange
    switch kind {
    case UInt8(ascii: "q"): (message.kind, wanted, other) = (.query, arguments, results)
    case UInt8(ascii: "r"): (message.kind, wanted, other) = (.response, results, arguments)
    case UInt8(ascii: "e"):
      message.kind = .error
      return true
    default: return false
    }
    if !other.isPresent { return true }
    message.body = KRPCMessage.Body()
    message.hasBody = false
    guard wanted.isPresent else { return true }
    try scanner.seek(to: Int(wanted.offset))
    guard try scanner.peek() == UInt8(ascii: "d") else { return true }
    message.hasBody = true
    return try fields(&message.body)
  }
}

// MARK: - Arguments and results

extension KRPCParser {
  private mutating func fields(_ body: inout KRPCMessage.Body) throws(BencodeError) -> Bool {
    guard try scanner.take(UInt8(ascii: "d")) else { return false }
    while try !scanner.take(UInt8(ascii: "e")) {
      var key = scanner.takeShortString()
      if key == 0 {
        let range = try scanner.readString()
        if range.count > 7 {
          guard try longKey(range, &body) else { return false }
          continue
        }
        key = scanner.bytes.packedKey(range)
      }
      guard try field(key, &body) else { return false }
    }
    return true
  }

  @inline(__always)
  private mutating func field(_ key: UInt64, _ body: inout KRPCMessage.Body) throws(BencodeError) -> Bool {
    switch key {
    case Key.id: return try scanner.string(&body.id, count: 20)
    case Key.target: return try scanner.string(&body.target, count: 20)
    case Key.token: return try scanner.string(&body.token, upTo: 64)
    case Key.nodes: return try scanner.string(&body.nodes)
    case Key.nodes6: return try scanner.string(&body.nodes6)
    case Key.v: return try scanner.any(&body.value)
    case Key.seq:
      body.mentions.insert(.seq)
      return try scanner.integer(&body.seq)
    case Key.k:
      body.mentions.insert(.key)
      return try scanner.string(&body.key, count: 32)
    case Key.sig:
      body.mentions.insert(.signature)
      return try scanner.string(&body.signature, count: 64)
    case Key.salt:
      body.mentions.insert(.salt)
      return try scanner.string(&body.salt)
    case Key.cas:
      body.mentions.insert(.cas)
      return try scanner.integer(&body.cas)
    case Key.values: return try scanner.any(&body.values)
    case Key.want: return try scanner.any(&body.want)
    case Key.port: return try scanner.integer(&body.port)
    case Key.samples: return try scanner.string(&body.samples)
    default:
      _ = try scanner.skipValue()
      return true
    }
  }

  private mutating func longKey(_ key: ByteRange, _ body: inout KRPCMessage.Body) throws(BencodeError) -> Bool {
    if scanner.bytes.isEqual(key, "info_hash") { return try scanner.string(&body.infoHash, count: 20) }
    if scanner.bytes.isEqual(key, "implied_port") { return try scanner.integer(&body.impliedPort) }
    _ = try scanner.skipValue()
    return true
  }
}

// MARK: - Values: one of another type, or a string of another size, is absent

extension BencodeScanner {
  @inline(__always)
  fileprivate mutating func string(
    _ field: inout ByteRange, count: Int? = nil, upTo limit: Int? = nil
  ) throws(BencodeError) -> Bool {
    guard let value = try readStringIfPresent() else { return true }
    if let count, Int(value.count) != count { return true }
    if let limit, Int(value.count) > limit { return true }
    return store(value, in: &field)
  }

  @inline(__always)
  fileprivate mutating func any(_ field: inout ByteRange) throws(BencodeError) -> Bool {
    store(try skipValue(), in: &field)
  }

  fileprivate mutating func integer(_ field: inout Int64?) throws(BencodeError) -> Bool {
    guard try peek() == UInt8(ascii: "i") else {
      _ = try skipValue()
      return true
    }
    guard let value = try readInteger(), field == nil || field == value else { return false }
    field = value
    return true
  }

  @inline(__always)
  private func store(_ value: ByteRange, in field: inout ByteRange) -> Bool {
    if field.isPresent { return bytes.isEqual(field, value) }
    field = value
    return true
  }
}
