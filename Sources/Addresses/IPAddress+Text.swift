extension IPAddress: LosslessStringConvertible {
  /// Dotted decimal, or the canonical IPv6 text of RFC 5952.
  public var description: String {
    if let v4 {
      return "\(v4 >> 24).\(v4 >> 16 & 255).\(v4 >> 8 & 255).\(v4 & 255)"
    }
    let groups = [high, low].flatMap { word in (0..<4).map { word >> UInt64(48 - 16 * $0) & 0xffff } }
    let zeros = Self.longestZeroRun(groups)
    func text(_ part: ArraySlice<UInt64>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
    guard zeros.count > 1 else { return text(groups[...]) }
    return text(groups[..<zeros.lowerBound]) + "::" + text(groups[zeros.upperBound...])
  }

  private static func longestZeroRun(_ groups: [UInt64]) -> Range<Int> {
    var longest = 0..<0
    var start = 0
    for end in 1...groups.count {
      if groups[end - 1] != 0 { start = end }
      if end - start > longest.count { longest = start..<end }
    }
    return longest
  }

  /// Reads dotted decimal (no leading zeros) or IPv6 text (RFC 4291 §2.2), without brackets or zone.
  public init?(_ text: String) { self.init(text[...]) }

  /// Reads dotted decimal (no leading zeros) or IPv6 text (RFC 4291 §2.2), without brackets or zone.
  public init?(_ text: Substring) {
    if text.utf8.contains(UInt8(ascii: ":")) {
      self.init(v6Text: text)
    } else {
      guard let v4 = Self.parseV4(text) else { return nil }
      self.init(v4: v4)
    }
  }

  private static func parseV4(_ text: Substring) -> UInt32? {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ (48...57).contains($0) }),
        part.count == 1 || part.first != UInt8(ascii: "0")
      else { return nil }
      let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 48) }
      guard value < 256 else { return nil }
      address = address << 8 | value
    }
    return address
  }

  private init?(v6Text text: Substring) {
    guard text.utf8.count <= 45 else { return nil }
    let gap = text.utf8.indices.first { index in
      text.utf8[index] == 0x3a && text.utf8.index(after: index) < text.utf8.endIndex
        && text.utf8[text.utf8.index(after: index)] == 0x3a
    }
    let groups: [UInt16]
    if let gap {
      let rest = text[text.utf8.index(gap, offsetBy: 2)...]
      guard let head = Self.groups(text[..<gap], mayEndInV4: false),
        let tail = Self.groups(rest, mayEndInV4: true), head.count + tail.count <= 7
      else { return nil }
      groups = head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    } else {
      guard let all = Self.groups(text, mayEndInV4: true), all.count == 8 else { return nil }
      groups = all
    }
    self.init(
      high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) }, low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
  }

  private static func groups(_ text: Substring, mayEndInV4: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      if mayEndInV4, index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")) {
        guard let v4 = parseV4(part) else { return nil }
        groups += [UInt16(v4 >> 16), UInt16(v4 & 0xffff)]
      } else {
        // UInt16 would take a sign as well.
        guard (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
          part.utf8.first != UInt8(ascii: "-"), let group = UInt16(part, radix: 16)
        else { return nil }
        groups.append(group)
      }
    }
    return groups
  }
}
