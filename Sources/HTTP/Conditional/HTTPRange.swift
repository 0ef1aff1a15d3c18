import PlainText

/// Requests for a part of a representation (RFC 9110 §14).
public enum HTTPRange: Hashable, Sendable {
  /// The whole: answer as without `Range`.
  case whole
  /// These bytes: answer 206 with ``contentRange(of:)``.
  case part(Range<UInt64>)
  /// None of them exists: answer 416 with ``contentRange(of:)``.
  case notSatisfiable

  /// Ranges in one field; a request for more is answered with the whole.
  static let maximumRanges = 16

  /// What a request asks for of a representation of `length` bytes.
  ///
  /// `Range` counts for `GET` only and in the unit `bytes`; a broken one is ignored. Of several ranges those that do not
  /// exist are left out; if more than one is left, the whole is the answer, which §14.2 allows: nobody needs
  /// `multipart/byteranges` here, and many small ranges are a known way to make a server work. With `If-Range` the part is
  /// given only if its strong tag, or its date exactly, is that of the representation (§13.1.5).
  public static func requested(
    method: HTTPMethod, fields: HTTPFields, length: UInt64, etag: HTTPEntityTag? = nil, lastModified: HTTPDate? = nil
  ) -> HTTPRange {
    guard method == .get, fields.contains(.range) else { return .whole }
    let values = fields.values(.range)
    guard values.count == 1, let specifiers = parse(values[0]) else { return .whole }
    if fields.contains(.ifRange) {
      let conditions = fields.values(.ifRange)
      guard conditions.count == 1, isCurrent(conditions[0], etag, lastModified) else { return .whole }
    }
    let ranges = specifiers.compactMap { $0.range(of: length) }
    if ranges.isEmpty { return .notSatisfiable }
    // A suffix of nothing exists, but no Content-Range can say so.
    return ranges.count > 1 || ranges[0].isEmpty ? .whole : .part(ranges[0])
  }

  /// The value of `content-range` for a representation of `length` bytes: `bytes 0-99/1234`, `bytes */1234` for 416; nil
  /// for the whole.
  public func contentRange(of length: UInt64) -> String? {
    switch self {
    case .whole: nil
    case .part(let range): "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
    case .notSatisfiable: "bytes */\(length)"
    }
  }

  private static func isCurrent(_ condition: String, _ etag: HTTPEntityTag?, _ lastModified: HTTPDate?) -> Bool {
    if let tag = HTTPEntityTag(parsing: condition) { return etag.map(tag.matchesStrongly) ?? false }
    guard let date = HTTPDate(condition), let lastModified else { return false }
    return date == lastModified
  }

  // MARK: - Parsing

  enum Specifier: Hashable {
    /// `500-999`, `500-`; the last byte is part of it.
    case from(UInt64, through: UInt64?)
    /// `-500`
    case last(UInt64)

    /// The bytes of a representation that are meant; nil if there are none.
    func range(of length: UInt64) -> Range<UInt64>? {
      switch self {
      case .from(let first, let last):
        guard first < length else { return nil }
        return first..<(last.map { min($0, length - 1) + 1 } ?? length)
      case .last(let count): return count == 0 ? nil : (length - min(count, length))..<length
      }
    }
  }

  /// Reads `bytes=0-99, 200-`; nil if it is broken, of another unit, or of too many ranges.
  static func parse(_ field: String) -> [Specifier]? {
    let parts = field.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, Substring(parts[0]).lowercased() == "bytes" else { return nil }
    var specifiers: [Specifier] = []
    for member in parts[1].split(separator: UInt8(ascii: ",")) {
      let text = member.drop { $0 == 0x20 || $0 == 0x09 }
      guard let end = text.lastIndex(where: { $0 != 0x20 && $0 != 0x09 }) else { continue }
      guard specifiers.count < maximumRanges, let specifier = specifier(text[...end]) else { return nil }
      specifiers.append(specifier)
    }
    return specifiers.isEmpty ? nil : specifiers
  }

  private static func specifier(_ text: some Collection<UInt8>) -> Specifier? {
    let ends = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard ends.count == 2 else { return nil }
    if ends[0].isEmpty { return number(ends[1]).map { .last($0) } }
    guard let first = number(ends[0]) else { return nil }
    if ends[1].isEmpty { return .from(first, through: nil) }
    guard let last = number(ends[1]), first <= last else { return nil }
    return .from(first, through: last)
  }

  /// A number too large for 64 bits is behind every end, as is the largest one.
  private static func number(_ digits: some Collection<UInt8>) -> UInt64? {
    guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    var number: UInt64 = 0
    for digit in digits {
      let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
      let (sum, isBeyond) = product.addingReportingOverflow(UInt64(digit - 0x30))
      if isTooLarge || isBeyond { return .max }
      number = sum
    }
    return number
  }
}
