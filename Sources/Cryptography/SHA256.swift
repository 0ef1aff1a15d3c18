import CSodium

/// SHA-256 (FIPS 180-4): names what is not secret, such as scripts in a content security policy.
public enum SHA256 {
  /// The digest of `message`, 32 bytes.
  public static func hash(_ message: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
    crypto_hash_sha256(&digest, message, UInt64(message.count))
    return digest
  }
}
