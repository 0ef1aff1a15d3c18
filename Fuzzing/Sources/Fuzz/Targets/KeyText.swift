import Addresses
import MainlineProtocol
import Pkarr
import WireFormat

extension FuzzTarget {
  /// Text that people type: keys in their text forms, addresses, hexadecimal. What is read is written the same way.
  static let keyText = FuzzTarget(name: "key-text", maximumLength: 256) { input in
    let text = String(decoding: input, as: UTF8.self)
    checkAlphabets(text)
    checkAddresses(text)
    checkKeys(text)
    checkEncodings([UInt8](input))
  }

  private static func checkKeys(_ text: String) {
    if let key = try? PublicKey(parsing: text) {
      require(key.z32.utf8.count == PublicKey.textLength, "a key of \(key.z32.utf8.count) characters")
      require((try? PublicKey(parsing: key.z32)) == key, "\(key) is not read as it was written")
      require((try? PublicKey(parsing: key.uri)) == key, "\(key.uri) is not read as it was written")
      require(key.relativeName(of: key.domainName) == "@", "the apex of \(key) is not its apex")
    }
    if let keypair = try? Keypair(secretKeyText: text) {
      require((try? Keypair(secretKeyText: keypair.secretKeyText)) == keypair, "a secret key changes")
      require(!"\(keypair)".contains(keypair.secretKeyText), "a secret key is printed")
    }
    if let timestamp = Timestamp(text) {
      require(Timestamp(timestamp.description) == timestamp, "\(timestamp) is not read as it was written")
    }
    if let timestamp = Timestamp(httpDate: text) {
      guard let date = timestamp.httpDate else { fatalError("a date that was read cannot be written: \(text)") }
      require(Timestamp(httpDate: date) == timestamp, "\(date) is not read as it was written")
    }
    if let id = NodeID(text) { require(NodeID(id.description) == id, "\(id) is not read as it was written") }
    _ = knownKey.fullName(of: text)
  }

  private static let knownKey = try! PublicKey(parsing: "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo")

  private static func checkEncodings(_ bytes: [UInt8]) {
    if let key = try? PublicKey(subjectPublicKeyInfo: bytes) {
      require(key.subjectPublicKeyInfo == bytes, "a SubjectPublicKeyInfo changes")
    }
    if let keypair = try? Keypair(pkcs8: bytes) {
      require((try? Keypair(pkcs8: keypair.pkcs8)) == keypair, "a PKCS #8 key changes")
    }
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
