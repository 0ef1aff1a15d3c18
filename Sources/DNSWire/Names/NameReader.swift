/// Reads names of messages, compressed or not (RFC 1035 §4.1.4).
enum NameReader {
  /// What is remembered from one name of a message to the next.
  struct Memory {
    /// How many pointers the names may still follow.
    ///
    /// Names without labels of their own could otherwise chain thousands of pointers each, over and over. No message of
    /// up to 1000 bytes can use up the budget, so PKARR packets are accepted exactly as by the reference.
    fileprivate(set) var pointersLeft: Int

    /// Where the last pointer went, if the name there was written in full: most names of a message end in the same one.
    fileprivate var knownTarget = -1
    /// Number of bytes of the labels at `knownTarget`.
    fileprivate var knownLength = 0
    /// Offset after the name at `knownTarget`.
    fileprivate var knownEnd = 0

    /// Allows that many pointers to be followed.
    @inline(__always)
    init(pointers: Int = 65536) { pointersLeft = pointers }
  }

  /// Checks the name at `start` and returns the offset after it (after the first pointer if there is one).
  ///
  /// Pointers must go strictly before themselves. A loop through labels ends at the length limit, and one without labels
  /// cannot exist.
  @inline(__always)
  static func skip(_ bytes: RawSpan, at start: Int, _ memory: inout Memory) throws(MessageError) -> Int {
    var position = start
    var length = 0
    while true {
      guard position < bytes.byteCount else { throw MessageError(.truncated, at: position) }
      let byte = Int(bytes.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self))
      if byte == 0 { return position &+ 1 }
      guard byte < 64 else { break }
      length &+= byte &+ 1
      guard length < DomainName.maximumLength else { throw MessageError(.nameTooLong, at: start) }
      position &+= byte &+ 1
    }
    try followPointers(bytes, at: position, length, &memory)
    return position &+ 2
  }

  /// Checks what follows after `length` bytes of labels from the byte at `start`, which is neither a label nor the end.
  @inline(__always)
  private static func followPointers(
    _ bytes: RawSpan, at start: Int, _ lengthBefore: Int, _ memory: inout Memory
  ) throws(MessageError) {
    var position = start
    var length = lengthBefore
    var target = -1
    var lengthBeforeTarget = 0
    while true {
      guard position < bytes.byteCount else { throw MessageError(.truncated, at: position) }
      let byte = Int(bytes.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self))
      if byte == 0 { break }
      if byte < 64 {
        length &+= byte &+ 1
        guard length < DomainName.maximumLength else { throw MessageError(.nameTooLong, at: start) }
        position &+= byte &+ 1
        continue
      }
      guard byte >= 0xc0 else { throw MessageError(.labelTooLong, at: position) }
      guard position &+ 1 < bytes.byteCount else { throw MessageError(.truncated, at: position) }
      target = pointer(bytes, at: position)
      guard target < position else { throw MessageError(.pointerNotBackwards, at: position) }
      memory.pointersLeft &-= 1
      guard memory.pointersLeft >= 0 else { throw MessageError(.tooManyPointers, at: position) }
      if target == memory.knownTarget, memory.knownEnd <= bytes.byteCount {
        guard length &+ memory.knownLength < DomainName.maximumLength else {
          throw MessageError(.nameTooLong, at: start)
        }
        return
      }
      lengthBeforeTarget = length
      position = target
    }
    memory.knownTarget = target
    memory.knownLength = length &- lengthBeforeTarget
    memory.knownEnd = position &+ 1
  }

  /// A copy of the name at `start`, which ``skip(_:at:_:)`` has checked.
  static func copy(_ bytes: RawSpan, at start: Int) -> DomainName {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
      var count = 0
      var position = start
      while true {
        let byte = Int(bytes.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self))
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

  /// True if the name at `start`, which ``skip(_:at:_:)`` has checked, has exactly the labels of `name`.
  static func matches(_ bytes: RawSpan, at start: Int, _ name: DomainName) -> Bool {
    let wire = name.wire.span
    var index = 0
    var position = start
    while true {
      let byte = Int(bytes.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self))
      if byte >= 0xc0 {
        position = pointer(bytes, at: position)
        continue
      }
      guard byte == Int(wire[index]) else { return false }
      if byte == 0 { return true }
      for step in 1...byte
      where bytes.unsafeLoad(fromUncheckedByteOffset: position &+ step, as: UInt8.self) != wire[index &+ step] {
        return false
      }
      index &+= byte &+ 1
      position &+= byte &+ 1
    }
  }

  @inline(__always)
  private static func pointer(_ bytes: RawSpan, at position: Int) -> Int {
    Int(UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt16.self)) & 0x3fff)
  }
}
