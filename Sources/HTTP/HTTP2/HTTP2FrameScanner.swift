/// The head of a frame (RFC 9113 §4.1).
struct HTTP2FrameHeader: Hashable, Sendable {
  /// What a frame is.
  struct Kind: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt8

    static let data = Kind(rawValue: 0)
    static let headers = Kind(rawValue: 1)
    static let priority = Kind(rawValue: 2)
    static let rstStream = Kind(rawValue: 3)
    static let settings = Kind(rawValue: 4)
    static let pushPromise = Kind(rawValue: 5)
    static let ping = Kind(rawValue: 6)
    static let goAway = Kind(rawValue: 7)
    static let windowUpdate = Kind(rawValue: 8)
    static let continuation = Kind(rawValue: 9)
  }

  /// END_STREAM of DATA and HEADERS; ACK of SETTINGS and PING.
  static let endStream: UInt8 = 1
  /// END_HEADERS
  static let endHeaders: UInt8 = 4
  /// PADDED
  static let padded: UInt8 = 8

  /// Bytes of the payload.
  var length: Int
  var kind: Kind
  var flags: UInt8
  /// 0 for the connection.
  var stream: Int32

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
}

/// Finds the heads of the frames in what a client sends, however it is cut into pieces. It looks at nothing else.
struct HTTP2FrameScanner: Sendable {
  /// Bytes of the preface in front of the first frame (RFC 9113 §3.4).
  static let prefaceLength = 24
  private static let headLength = 9

  /// Bytes of the preface or of a payload that are still to come.
  private var skip = Self.prefaceLength
  private var head: InlineArray<9, UInt8> = .init(repeating: 0)
  private var headCount = 0

  /// The next frame whose head is complete, and moves `offset` behind that head; nil once all bytes were seen.
  mutating func next(_ bytes: UnsafeRawBufferPointer, from offset: inout Int) -> HTTP2FrameHeader? {
    let passed = min(skip, bytes.count - offset)
    skip -= passed
    offset += passed
    if skip > 0 { return nil }
    while headCount < Self.headLength, offset < bytes.count {
      head[headCount] = bytes[offset]
      headCount += 1
      offset += 1
    }
    if headCount < Self.headLength { return nil }
    headCount = 0
    skip = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
    let stream = UInt32(head[5]) << 24 | UInt32(head[6]) << 16 | UInt32(head[7]) << 8 | UInt32(head[8])
    return HTTP2FrameHeader(
      length: skip, kind: HTTP2FrameHeader.Kind(rawValue: head[3]), flags: head[4],
      stream: Int32(truncatingIfNeeded: stream & 0x7fff_ffff))
  }
}
