/// Finds lines that end in CR LF, remembering between calls how far it has looked.
///
/// Nothing else ends a line: a lone CR or LF is refused, since parsers that disagree about it disagree about where a
/// message ends (RFC 9112 §2.2 leaves the choice to the recipient).
struct HTTP1LineReader: Sendable {
  /// Where the line starts that has not been returned yet.
  private(set) var lineStart = 0
  /// Up to here the line holds no control character.
  private var scanned = 0

  /// The next line without its end; nil if it is not complete. The message must start where it started in the last call.
  ///
  /// Throws `tooLong` for a line of more bytes than `maximumLength`, whether complete or not.
  @inline(__always)
  mutating func next(
    _ bytes: UnsafeRawBufferPointer, maximumLength: Int = .max, tooLong: HTTPStatus = .requestHeaderFieldsTooLarge
  ) throws(HTTP1Error) -> Range<Int>? {
    guard scanned <= bytes.count else { return nil }
    scanned = OctetScan.firstControl(in: bytes, from: scanned, to: bytes.count)
    // Before anything else, so that the verdict does not depend on how much of the line has come.
    if scanned - lineStart > maximumLength { throw HTTP1Error(tooLong, "a line is too long") }
    guard scanned < bytes.count else { return nil }
    switch bytes[scanned] {
    case 0x0d: break
    case 0x0a: throw .malformed("a line ends in LF without CR")
    default: throw .malformed("a control character")
    }
    guard scanned + 1 < bytes.count else { return nil }
    guard bytes[scanned + 1] == 0x0a else { throw .malformed("a CR without LF") }
    let line = lineStart..<scanned
    lineStart = scanned + 2
    scanned = lineStart
    return line
  }
}
