/// An entity tag: names one version of a representation (RFC 9110 §8.8.3).
public struct HTTPEntityTag: Hashable, Sendable {
  /// True if equal tags mean that versions are as good as equal, not that they are the same bytes.
  public let isWeak: Bool
  /// What stands between the quotes.
  public let text: String

  /// Takes the text of a tag; nil if it holds quotes, white space or control characters.
  public init?(_ text: String, isWeak: Bool = false) {
    guard text.utf8.allSatisfy(Self.isTagCharacter) else { return nil }
    (self.text, self.isWeak) = (text, isWeak)
  }

  /// Reads `"text"` or `W/"text"`, nothing around it.
  public init?(parsing field: some StringProtocol) {
    let utf8 = Array(field.utf8)
    var index = 0
    guard let tag = Self.read(utf8, &index), index == utf8.count else { return nil }
    self = tag
  }

  /// True if the tags are of the same bytes for certain: equal, and neither is weak (§8.8.3.2).
  public func matchesStrongly(_ other: HTTPEntityTag) -> Bool { !isWeak && !other.isWeak && text == other.text }

  /// True if the tags are of versions as good as equal (§8.8.3.2).
  public func matchesWeakly(_ other: HTTPEntityTag) -> Bool { text == other.text }

  private static func isTagCharacter(_ byte: UInt8) -> Bool { byte == 0x21 || byte >= 0x23 && byte != 0x7f }

  /// Reads the tag that starts at `index`, and moves `index` behind it.
  static func read(_ bytes: [UInt8], _ index: inout Int) -> HTTPEntityTag? {
    var start = index
    let isWeak = bytes[start...].starts(with: "W/".utf8)
    if isWeak { start += 2 }
    guard start < bytes.count, bytes[start] == UInt8(ascii: "\"") else { return nil }
    guard let end = bytes[(start + 1)...].firstIndex(where: { !isTagCharacter($0) }), bytes[end] == UInt8(ascii: "\"")
    else { return nil }
    index = end + 1
    return HTTPEntityTag(String(decoding: bytes[(start + 1)..<end], as: UTF8.self), isWeak: isWeak)
  }
}

extension HTTPEntityTag: CustomStringConvertible {
  /// `"text"` or `W/"text"`, as in the field `etag`.
  public var description: String { "\(isWeak ? "W/" : "")\"\(text)\"" }
}

/// The value of `If-Match` and `If-None-Match`: `*` or a list of tags.
enum HTTPEntityTagList {
  case any
  case tags([HTTPEntityTag])

  /// Reads a list; of a broken one what stands in front of the fault.
  init(_ field: String) {
    let bytes = Array(field.utf8)
    let value = bytes.withUnsafeBytes { bytes in
      Array(bytes[OctetScan.trimmed(bytes, 0..<bytes.count)])
    }
    if value.elementsEqual("*".utf8) {
      self = .any
      return
    }
    var tags: [HTTPEntityTag] = []
    var index = 0
    while index < value.count {
      switch value[index] {
      case 0x20, 0x09, UInt8(ascii: ","): index += 1
      default:
        // Two tags without a comma between them are taken for two.
        guard let tag = HTTPEntityTag.read(value, &index) else {
          index = value.count
          continue
        }
        tags.append(tag)
      }
    }
    self = .tags(tags)
  }
}
