/// Messages of a stream: each behind its length in two bytes (RFC 1035 §4.2.2).
struct StreamFrames {
  /// What has come and is not a whole message yet, from `start` on.
  private var buffer: [UInt8] = []
  private var start = 0

  /// Bytes that wait for the rest of their message.
  var bufferedBytes: Int { buffer.count - start }

  /// Calls `body` with each message that is complete once these bytes have come; stops when it returns false. The bytes of
  /// a message are valid during the call only.
  mutating func receive(_ bytes: UnsafeRawBufferPointer, _ body: (RawSpan) -> Bool) {
    if start == buffer.count {
      buffer.removeAll(keepingCapacity: true)
      start = 0
      // The usual case: whole messages, which need not be copied.
      let used = Self.walk(bytes, body)
      buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[used...]))
    } else {
      buffer.append(contentsOf: bytes)
      start += buffer.withUnsafeBytes { Self.walk(UnsafeRawBufferPointer(rebasing: $0[start...]), body) }
      if start == buffer.count {
        buffer.removeAll(keepingCapacity: buffer.capacity <= 4096)
        start = 0
      } else if start > 64 << 10 {
        buffer.removeFirst(start)
        start = 0
      }
    }
    if start == buffer.count, buffer.capacity > 4096 { buffer = [] }
  }

  /// The number of bytes that belong to messages that were handed over.
  private static func walk(_ bytes: UnsafeRawBufferPointer, _ body: (RawSpan) -> Bool) -> Int {
    var offset = 0
    while bytes.count - offset >= 2 {
      let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
      guard bytes.count - offset - 2 >= length else { break }
      let message = UnsafeRawBufferPointer(rebasing: bytes[(offset + 2)..<(offset + 2 + length)])
      offset += 2 + length
      if !body(RawSpan(_unsafeBytes: message)) { break }
    }
    return offset
  }

  /// Appends a message with its length; nothing if it is longer than a stream can carry.
  static func append(_ message: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    guard message.count <= Int(UInt16.max) else { return }
    output.append(UInt8(message.count >> 8))
    output.append(UInt8(message.count & 255))
    output.append(contentsOf: message)
  }
}
