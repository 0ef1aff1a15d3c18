import DNSWire
import Pkarr

/// `[names]`: a table of names that people can remember, and the keys that they stand for.
struct PetnameTable: Decodable {
  /// The names, each of one label.
  let names: [DomainName: PublicKey]

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private static let maximumCount = 100_000

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Name.self)
    var names: [DomainName: PublicKey] = [:]
    for key in values.allKeys {
      let text = try values.decode(String.self, forKey: key)
      guard let name = Self.label(key.stringValue) else {
        throw values.invalid(key, "a name is one label: letters, digits, - and _, and no key itself")
      }
      guard let publicKey = try? PublicKey(parsing: text) else {
        throw values.invalid(key, "\"\(text)\" is not a public key")
      }
      guard names.updateValue(publicKey, forKey: name) == nil else {
        throw values.invalid(key, "the name is there twice, in upper and lower case")
      }
    }
    guard names.count <= Self.maximumCount else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "at most \(Self.maximumCount) names can be used"))
    }
    self.names = names
  }

  private static func label(_ text: String) -> DomainName? {
    let isAllowed = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    // What looks like a key is one, and never a name for another.
    guard isAllowed, text.utf8.count != PublicKey.textLength else { return nil }
    return DomainName(configured: text)
  }
}
