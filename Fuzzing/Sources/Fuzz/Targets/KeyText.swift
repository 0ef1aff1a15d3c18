import Addresses
import WireFormat

extension FuzzTarget {
  /// Text that people type: keys in their text forms, addresses, hexadecimal. What is read is written the same way.
  static let keyText = FuzzTarget(name: "key-text", maximumLength: 256) { input in
    let text = String(decoding: input, as: UTF8.self)
    checkAlphabets(text)
    checkAddresses(text)
  }

  private static func checkAlphabets(_ text: String) {
    for alphabet in [Base32.z, Base32.crockford] {
      guard let bytes = alphabet.decode(text) else { continue }
      require(bytes.count == text.utf8.count * 5 / 8, "base32 lost bytes of \(text)")
      require(alphabet.decode(alphabet.encode(bytes)) == bytes, "base32 does not read what it wrote for \(text)")
    }
    if let bytes = Hex.decode(text) {
      require(Hex.encode(bytes) == text.lowercased(), "hexadecimal does not write what it read from \(text)")
    }
  }

  private static func checkAddresses(_ text: String) {
    if let address = IPAddress(text) {
      require(IPAddress(address.description) == address, "\(address) is not read as what was written")
      require(IPAddress(bytes: address.bytes) == address, "\(address) is not what its bytes are")
      for length in [0, 1, 24, 32, 64, 127, 128] {
        let prefix = address.prefix(length)
        require(prefix.prefix(length) == prefix, "the prefix of \(address) is not stable")
      }
    }
    if let endpoint = Endpoint(text) {
      require(Endpoint(endpoint.description) == endpoint, "\(endpoint) is not read as what was written")
    }
  }
}
