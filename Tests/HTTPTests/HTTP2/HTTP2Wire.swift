import CNghttp2

@testable import HTTP

/// Frames made by hand, for what no honest client would send.
enum HTTP2Wire {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// The preface and SETTINGS, with which each connection begins.
  static let opening = preface + frame(.settings)

  static func frame(
    _ kind: HTTP2FrameHeader.Kind, flags: UInt8 = 0, stream: Int = 0, length: Int? = nil, _ payload: [UInt8] = []
  ) -> [UInt8] {
    let length = length ?? payload.count
    return [UInt8(length >> 16 & 0xff), UInt8(length >> 8 & 0xff), UInt8(length & 0xff), kind.rawValue, flags]
      + bigEndian(UInt32(stream)) + payload
  }

  static func bigEndian(_ number: UInt32) -> [UInt8] {
    [UInt8(number >> 24), UInt8(number >> 16 & 0xff), UInt8(number >> 8 & 0xff), UInt8(number & 0xff)]
  }

  /// The usual pseudo fields, with others in their place or behind them; nil leaves one out.
  static func head(_ changes: [(String, String?)] = [], _ fields: [(String, String)] = []) -> [(String, String)] {
    var pseudo: [(String, String?)] = [
      (":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/"),
    ]
    for (name, value) in changes {
      if let index = pseudo.firstIndex(where: { $0.0 == name }) {
        pseudo[index].1 = value
      } else {
        pseudo.append((name, value))
      }
    }
    return pseudo.compactMap { name, value in value.map { (name, $0) } } + fields
  }

  /// A block of fields as literals that are neither compressed nor kept (RFC 7541 §6.2.2).
  static func block(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { [0x00] + string(Array($0.0.utf8)) + string(Array($0.1.utf8)) }
  }

  /// A string literal without Huffman coding (RFC 7541 §5.2).
  static func string(_ bytes: [UInt8]) -> [UInt8] {
    if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
    var length: [UInt8] = [127]
    var rest = bytes.count - 127
    while rest >= 128 {
      length.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return length + [UInt8(rest)] + bytes
  }

  /// A HEADERS frame with a whole head.
  static func headers(
    _ stream: Int, _ fields: [(String, String)] = head(), endsStream: Bool = true, flags: UInt8 = 0
  ) -> [UInt8] {
    frame(.headers, flags: 4 | (endsStream ? 1 : 0) | flags, stream: stream, block(fields))
  }

  static func data(_ stream: Int, _ bytes: [UInt8], endsStream: Bool = false) -> [UInt8] {
    frame(.data, flags: endsStream ? 1 : 0, stream: stream, bytes)
  }

  static func reset(_ stream: Int, code: UInt32 = 8) -> [UInt8] {
    frame(.rstStream, stream: stream, bigEndian(code))
  }
}

/// Somebody who sends frames made by hand to a server and reads its frames.
final class HTTP2WirePeer {
  struct Frame: Equatable {
    var header: HTTP2FrameHeader
    var payload: [UInt8]

    /// The code of RST_STREAM or GOAWAY.
    var code: UInt32 {
      payload.suffix(from: header.kind == .goAway ? 4 : 0).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }
  }

  let server: HTTP2Server
  /// All frames of the server.
  private(set) var frames: [Frame] = []
  /// Statuses of the responses by stream.
  private(set) var statuses: [Int32: String] = [:]
  /// What the server's session threw.
  private(set) var error: HTTP2Error?
  private var inflater: OpaquePointer?

  /// The server has got the opening already.
  init(_ server: HTTP2Server = .answering("ok"), opening: [UInt8] = HTTP2Wire.opening) {
    self.server = server
    nghttp2_hd_inflate_new(&inflater)
    send(opening)
  }

  deinit { nghttp2_hd_inflate_del(inflater) }

  /// Sends bytes and reads what comes back.
  func send(_ bytes: [UInt8]...) {
    sendBlindly(bytes.flatMap { $0 })
    read()
  }

  /// Sends bytes without reading.
  func sendBlindly(_ bytes: [UInt8]) {
    do { try server.receive(bytes) } catch { self.error = error }
  }

  func read() {
    let bytes = server.output()
    var offset = 0
    while offset + 9 <= bytes.count {
      let length = Int(bytes[offset]) << 16 | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2])
      let stream = bytes[offset + 5..<offset + 9].reduce(0) { $0 << 8 | UInt32($1) }
      let header = HTTP2FrameHeader(
        length: length, kind: HTTP2FrameHeader.Kind(rawValue: bytes[offset + 3]), flags: bytes[offset + 4],
        stream: Int32(stream))
      precondition(offset + 9 + length <= bytes.count, "the server sent a part of a frame")
      let frame = Frame(header: header, payload: Array(bytes[offset + 9..<offset + 9 + length]))
      if header.kind == .headers { statuses[header.stream] = status(frame.payload) }
      frames.append(frame)
      offset += 9 + length
    }
    precondition(offset == bytes.count, "the server sent a part of a frame")
  }

  /// The code of the last GOAWAY.
  var goAway: UInt32? { frames.last { $0.header.kind == .goAway }?.code }

  /// The codes with which streams were reset.
  var resets: [Int32: UInt32] {
    frames.filter { $0.header.kind == .rstStream }.reduce(into: [:]) { $0[$1.header.stream] = $1.code }
  }

  func count(_ kind: HTTP2FrameHeader.Kind) -> Int { frames.count { $0.header.kind == kind } }

  private func status(_ block: [UInt8]) -> String? {
    var status: String?
    block.withUnsafeBufferPointer { block in
      var offset = 0
      while offset < block.count {
        var line = nghttp2_nv()
        var flags: Int32 = 0
        let count = nghttp2_hd_inflate_hd2(
          inflater, &line, &flags, block.baseAddress! + offset, block.count - offset, 1)
        precondition(count >= 0, "the server's fields cannot be decompressed")
        offset += count
        let name = String(decoding: UnsafeBufferPointer(start: line.name, count: line.namelen), as: UTF8.self)
        if flags & 2 != 0, name == ":status" {
          status = String(decoding: UnsafeBufferPointer(start: line.value, count: line.valuelen), as: UTF8.self)
        }
        if flags & 1 != 0 { break }
      }
      nghttp2_hd_inflate_end_headers(inflater)
    }
    return status
  }
}

/// Numbers that are the same each time.
struct Dice: RandomNumberGenerator {
  var state: UInt64

  /// SplitMix64 (Steele, Lea and Flood 2014).
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
