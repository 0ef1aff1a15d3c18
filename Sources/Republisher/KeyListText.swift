import Pkarr

/// A list of public keys: one a line in any form that names a key, empty lines, and comments behind `#`.
public struct KeyListText: Hashable, Sendable {
  /// A line that is no key.
  public struct Flaw: Hashable, Sendable {
    /// From 1.
    public var line: Int
    /// What is wrong with it.
    public var error: PublicKeyError
  }

  /// The keys, each once, in order.
  public private(set) var keys: [PublicKey] = []
  /// The first lines that are none, at most ``flawLimit``.
  public private(set) var flaws: [Flaw] = []
  /// How many lines are none.
  public private(set) var flawCount = 0
  /// True if there are more keys than the limit, which were left out.
  public private(set) var isCut = false

  /// Flaws that are kept.
  public static let flawLimit = 5
  /// No key is written with more bytes, a URL around it included.
  private static let lineLimit = 1024

  /// Reads at most `limit` keys.
  public init(_ text: RawSpan, limit: Int) {
    var lines = TextLines(text)
    var seen: Set<PublicKey> = []
    var number = 0
    while let line = lines.next() {
      number += 1
      let content = Self.content(line)
      if content.isEmpty { continue }
      do throws(PublicKeyError) {
        guard content.count <= Self.lineLimit, let text = String(validating: content, as: UTF8.self) else {
          throw .invalidEncoding
        }
        let key = try PublicKey(parsing: text)
        guard seen.insert(key).inserted else { continue }
        guard keys.count < limit else {
          isCut = true
          return
        }
        keys.append(key)
      } catch {
        flawCount += 1
        if flaws.count < Self.flawLimit { flaws.append(Flaw(line: number, error: error)) }
      }
    }
  }

  private static func content(_ line: [UInt8]) -> ArraySlice<UInt8> {
    var content = line.prefix { $0 != UInt8(ascii: "#") }
    content = content.drop { $0 <= 0x20 }
    while let last = content.last, last <= 0x20 { content.removeLast() }
    return content
  }
}
