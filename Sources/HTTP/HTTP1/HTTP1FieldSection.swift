/// Field lines as they are read: where names and values lie in the message (RFC 9112 §5).
struct HTTP1FieldSection: Sendable {
  private(set) var entries: [HTTPFields.Entry] = []

  /// Reads one field line and returns where its name and its value lie.
  ///
  /// Refused: folded lines (§5.2), white space in front of the colon (§5.1), names that are no tokens. That the value
  /// holds no control character is known already.
  @inline(__always)
  mutating func add(
    _ line: Range<Int>, of bytes: UnsafeRawBufferPointer, maximumFields: Int
  ) throws(HTTP1Error) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    if entries.count >= maximumFields { throw HTTP1Error(.requestHeaderFieldsTooLarge, "too many fields") }
    var index = line.lowerBound
    while index < line.upperBound, HTTPToken.contains(bytes[index]) { index += 1 }
    let nameLength = index - line.lowerBound
    guard nameLength > 0, index < line.upperBound, bytes[index] == UInt8(ascii: ":") else {
      throw Self.badName(line, at: index, bytes)
    }
    if nameLength > Int(UInt16.max) { throw HTTP1Error(.requestHeaderFieldsTooLarge, "a field name is too long") }
    let value = OctetScan.trimmed(bytes, index + 1..<line.upperBound)
    if entries.isEmpty { entries.reserveCapacity(16) }
    entries.append(
      HTTPFields.Entry(
        nameStart: UInt32(truncatingIfNeeded: line.lowerBound), nameLength: UInt16(truncatingIfNeeded: nameLength),
        valueStart: UInt32(truncatingIfNeeded: value.lowerBound),
        valueLength: UInt32(truncatingIfNeeded: value.count)))
    return (
      UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<index]), UnsafeRawBufferPointer(rebasing: bytes[value])
    )
  }

  private static func badName(_ line: Range<Int>, at index: Int, _ bytes: UnsafeRawBufferPointer) -> HTTP1Error {
    guard index < line.upperBound else { return .malformed("a field line without a colon") }
    switch bytes[index] {
    case 0x20 where index == line.lowerBound, 0x09 where index == line.lowerBound:
      return .malformed("a folded field line")
    case 0x20, 0x09: return .malformed("white space in or behind a field name")
    case UInt8(ascii: ":"): return .malformed("a field without a name")
    default: return .malformed("a field name that is no token")
    }
  }

  /// The fields, in a copy of the message's first bytes with the names in lower case.
  @inline(__always)
  func fields(copying bytes: UnsafeRawBufferPointer) -> HTTPFields {
    if entries.isEmpty { return HTTPFields() }
    let copy = [UInt8](unsafeUninitializedCapacity: bytes.count) { copy, count in
      UnsafeMutableRawBufferPointer(copy).copyMemory(from: bytes)
      for entry in entries {
        let start = Int(entry.nameStart)
        for index in start..<start + Int(entry.nameLength) { copy[index] = HTTPToken.lowercase(copy[index]) }
      }
      count = bytes.count
    }
    return HTTPFields(bytes: copy, entries: entries)
  }
}
