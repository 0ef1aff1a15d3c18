import Bencode
import WireFormat

extension FuzzTarget {
  /// Bencoded values, strict and lenient: what the strict reader accepts is written back byte for byte, and the lenient
  /// one finds its end too.
  static let bencode = FuzzTarget(name: "bencode", maximumLength: 2048) { input in
    let bytes = [UInt8](input)
    checkStrict(bytes)
    checkLenient(bytes)
  }

  private static func checkStrict(_ bytes: [UInt8]) {
    guard CanonicalBencode.isCanonical(bytes) else {
      require((try? BencodeValue(bytes)) == nil, "a value was read that is not canonical")
      return
    }
    guard let value = try? BencodeValue(bytes) else { fatalError("a canonical value was not read") }
    require(value.encoded == bytes, "a canonical value is written differently")
    var scanner = BencodeScanner(bytes.span.bytes)
    // The lenient reader has lower limits on depth and number; where it ends, it ends at the end.
    if let range = try? scanner.skipValue() {
      require(Int(range.count) == bytes.count, "the lenient reader ends elsewhere")
    }
  }

  private static func checkLenient(_ bytes: [UInt8]) {
    var scanner = BencodeScanner(bytes.span.bytes)
    var containers = 0
    while let range = try? scanner.skipValue() {
      if bytes[Int(range.offset)] == UInt8(ascii: "d") || bytes[Int(range.offset)] == UInt8(ascii: "l") {
        containers += 1
      }
      require(range.count > 0, "a value without bytes")
      require(Int(range.offset) + Int(range.count) == scanner.position, "a range ends elsewhere than the reader")
      require(scanner.position <= bytes.count, "the reader is behind the end")
    }
    require(containers <= BencodeScanner.maximumValues, "more containers than the limit on what they hold")
    _ = try? scanner.readInteger()
    _ = try? scanner.readString()
    require(scanner.position <= bytes.count, "the reader is behind the end")
  }
}
