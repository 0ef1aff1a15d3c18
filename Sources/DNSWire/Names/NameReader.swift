/// Reads names of messages, compressed or not (RFC 1035 §4.1.4).
enum NameReader {
  /// How many pointers the names of one message may follow in all.
  ///
  /// Names without labels of their own could otherwise chain thousands of pointers each, over and over. No message of up
  /// to 1000 bytes can reach this number, so PKARR packets are accepted exactly as by the reference.
  static let pointerBudget = 65536

  /// Checks the name at `start` and returns the offset after it (after the first pointer if there is one).
  ///
  /// Pointers must go strictly before themselves. A loop through labels ends at the length limit, and one without labels
  /// cannot exist.
  @inline(__always)
  static func skip(_ bytes: RawSpan, at start: Int, pointers: inout Int) throws(MessageError) -> Int {
    var position = start
    var end = -1
    var length = 0
    while true {
      guard position < bytes.byteCount else { throw MessageError(.truncated, at: position) }
      let byte = Int(bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self))
      if byte == 0 { return end < 0 ? position &+ 1 : end }
      if byte < 64 {
        length &+= byte &+ 1
        guard length < DomainName.maximumLength else { throw MessageError(.nameTooLong, at: start) }
        position &+= byte &+ 1
      } else if byte >= 0xc0 {
        guard position &+ 1 < bytes.byteCount else { throw MessageError(.truncated, at: position) }
        let target = pointer(bytes, at: position)
        guard target < position else { throw MessageError(.pointerNotBackwards, at: position) }
        pointers &-= 1
        guard pointers >= 0 else { throw MessageError(.tooManyPointers, at: position) }
        if end < 0 { end = position &+ 2 }
        position = target
      } else {
        throw MessageError(.labelTooLong, at: position)
      }
    }
  }

  /// A copy of the name at `start`, which ``skip(_:at:pointers:)`` has checked.
  static func copy(_ bytes: RawSpan, at start: Int) -> DomainName {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
      var count = 0
      var position = start
      while true {
        let byte = Int(bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self))
        if byte == 0 { break }
        if byte >= 0xc0 {
          position = pointer(bytes, at: position)
          continue
        }
        bytes.extracting(position..<(position &+ byte &+ 1)).withUnsafeBytes {
          UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: $0)
        }
        count &+= byte &+ 1
        position &+= byte &+ 1
      }
      buffer[count] = 0
      return DomainName(uncheckedWire: [UInt8](buffer[...count]))
    }
  }

  /// True if the name at `start`, which ``skip(_:at:pointers:)`` has checked, has exactly the labels of `name`.
  static func matches(_ bytes: RawSpan, at start: Int, _ name: DomainName) -> Bool {
    let wire = name.wire.span
    var index = 0
    var position = start
    while true {
      let byte = Int(bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self))
      if byte >= 0xc0 {
        position = pointer(bytes, at: position)
        continue
      }
      guard byte == Int(wire[index]) else { return false }
      if byte == 0 { return true }
      for step in 1...byte
      where bytes.unsafeLoad(fromByteOffset: position &+ step, as: UInt8.self) != wire[index &+ step] { return false }
      index &+= byte &+ 1
      position &+= byte &+ 1
    }
  }

  @inline(__always)
  private static func pointer(_ bytes: RawSpan, at position: Int) -> Int {
    Int(UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt16.self)) & 0x3fff)
  }
}
