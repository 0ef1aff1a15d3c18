/// Writes heads and chunks (RFC 9112 §3, §4, §7.1). All functions append.
///
/// Fields that are the encoder's to write (`content-length`, `transfer-encoding`, `connection`, `keep-alive`, `host` in
/// requests, `date` in responses) are left out of the fields that it is given, so nobody can announce another length.
enum HTTP1Encoder {
  /// The interim response that a client waits for which sent `Expect: 100-continue`.
  static let continueResponse = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  /// How to announce a response's body: chunked if its length is not known, or until the connection closes for clients
  /// that do not know chunks.
  static func framing(ofResponse status: HTTPStatus, to method: HTTPMethod, version: HTTPVersion, length: UInt64?)
    -> BodyFraming
  {
    if status.isBodiless || method == .head { return .none }
    if let length { return .length(length) }
    return version == .http10 ? .untilClose : .chunked
  }

  /// Appends the head of a response.
  ///
  /// `contentLengthOfHead` is the length to tell where there is no body (`.none`): for `HEAD` and 304. `version` is that
  /// of the request; the response itself is always HTTP/1.1 (RFC 9110 §2.5). `date` is a whole line, or empty for none.
  static func responseHead(
    _ status: HTTPStatus, fields: HTTPFields, framing: BodyFraming, contentLengthOfHead: UInt64? = nil,
    keepsAlive: Bool, version: HTTPVersion, date: [UInt8], into bytes: inout [UInt8]
  ) {
    bytes.append("HTTP/1.1 ")
    bytes.appendDecimal(UInt64(status.code))
    bytes.append(0x20)
    bytes.append(text: status.reasonPhrase)
    bytes.append("\r\n")
    bytes.append(contentsOf: date)
    append(fields, for: .response, &bytes)
    switch framing {
    case .none:
      let mayTell = !status.isInformational && status != .noContent
      if let contentLengthOfHead, mayTell { appendLength(contentLengthOfHead, &bytes) }
    case .length(let length): appendLength(length, &bytes)
    case .chunked: bytes.append("transfer-encoding: chunked\r\n")
    case .untilClose: break
    }
    if status.isInformational {
      // An interim response says nothing about the connection.
    } else if !keepsAlive || framing == .untilClose {
      bytes.append("connection: close\r\n")
    } else if version == .http10 {
      bytes.append("connection: keep-alive\r\n")
    }
    bytes.append("\r\n")
  }

  /// Appends the head of a request. `authority` is what `Host` says.
  ///
  /// Characters that would end the target or the host are percent-encoded, and a path without its slash gets one: nothing
  /// that a caller puts in can become another line.
  static func requestHead(
    _ method: HTTPMethod, target: HTTPTarget, authority: String, fields: HTTPFields, framing: BodyFraming,
    keepsAlive: Bool, into bytes: inout [UInt8]
  ) {
    bytes.append(text: method.text)
    bytes.append(0x20)
    appendTarget(target, &bytes)
    bytes.append(" HTTP/1.1\r\nhost: ")
    bytes.appendEscaped(authority) { HTTPAuthority.isNameCharacter($0) || "%:[]".utf8.contains($0) }
    bytes.append("\r\n")
    append(fields, for: .request, &bytes)
    switch framing {
    case .none, .untilClose: break
    case .length(let length): appendLength(length, &bytes)
    case .chunked: bytes.append("transfer-encoding: chunked\r\n")
    }
    bytes.append(keepsAlive ? "\r\n" : "connection: close\r\n\r\n")
  }

  /// Appends a chunk; nothing for no bytes, since an empty chunk would be the last one.
  static func chunk(_ data: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
    if data.isEmpty { return }
    chunkStart(data.count, into: &bytes)
    bytes.append(contentsOf: data)
    bytes.append("\r\n")
  }

  /// Appends what stands in front of a chunk's data, of at least one byte. CR LF must follow them.
  static func chunkStart(_ count: Int, into bytes: inout [UInt8]) {
    bytes.appendHexadecimal(UInt64(count))
    bytes.append("\r\n")
  }

  /// Appends the last chunk and the trailers, without those fields that have no place there.
  static func lastChunk(trailers: HTTPFields = HTTPFields(), into bytes: inout [UInt8]) {
    bytes.append("0\r\n")
    if !trailers.isEmpty { append(trailers.withoutThoseOfHeads, for: .trailers, &bytes) }
    bytes.append("\r\n")
  }

  // MARK: - Parts

  private enum Place { case request, response, trailers }

  private static func append(_ fields: HTTPFields, for place: Place, _ bytes: inout [UInt8]) {
    fields.appendLines(to: &bytes) { isWrittenHere($0, place) }
  }

  @inline(__always)
  private static func isWrittenHere(_ name: UnsafeRawBufferPointer, _ place: Place) -> Bool {
    switch name.count {
    case 4:
      place == .request && OctetScan.isToken(name, "host") || place == .response && OctetScan.isToken(name, "date")
    case 10: OctetScan.isToken(name, "connection") || OctetScan.isToken(name, "keep-alive")
    case 14: OctetScan.isToken(name, "content-length")
    case 17: OctetScan.isToken(name, "transfer-encoding")
    default: false
    }
  }

  private static func appendLength(_ length: UInt64, _ bytes: inout [UInt8]) {
    bytes.append("content-length: ")
    bytes.appendDecimal(length)
    bytes.append("\r\n")
  }

  private static func appendTarget(_ target: HTTPTarget, _ bytes: inout [UInt8]) {
    let isVisible = { (byte: UInt8) in (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "#") }
    if target.path == "*", target.query == nil {
      bytes.append(UInt8(ascii: "*"))
      return
    }
    if target.path.utf8.first != UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
    bytes.appendEscaped(target.path) { isVisible($0) && $0 != UInt8(ascii: "?") }
    if let query = target.query {
      bytes.append(UInt8(ascii: "?"))
      bytes.appendEscaped(query, isVisible)
    }
  }
}

extension [UInt8] {
  @inline(__always)
  fileprivate mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  @inline(__always)
  fileprivate mutating func append(text: String) {
    var text = text
    text.withUTF8 { append(contentsOf: $0) }
  }

  /// Appends the bytes that `isPlain` accepts, the others percent-encoded.
  fileprivate mutating func appendEscaped(_ text: String, _ isPlain: (UInt8) -> Bool) {
    for byte in text.utf8 {
      if isPlain(byte) {
        append(byte)
      } else {
        append(UInt8(ascii: "%"))
        if byte < 16 { append(UInt8(ascii: "0")) }
        appendHexadecimal(UInt64(byte))
      }
    }
  }

  fileprivate mutating func appendDecimal(_ number: UInt64) {
    if number >= 10 { appendDecimal(number / 10) }
    append(UInt8(truncatingIfNeeded: 0x30 + number % 10))
  }

  fileprivate mutating func appendHexadecimal(_ number: UInt64) {
    var shift = Swift.max(0, 60 - number.leadingZeroBitCount & ~3)
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift) & 15)
      append(digit < 10 ? 0x30 + digit : 0x41 - 10 + digit)
      shift -= 4
    }
  }
}
