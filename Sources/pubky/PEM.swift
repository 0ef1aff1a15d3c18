import WireFormat

/// DER in text form (RFC 7468).
enum PEM {
  /// The lines of a block, for example of a `PRIVATE KEY`.
  static func lines(_ label: String, _ der: [UInt8]) -> [String] {
    let text = Array(Base64.encode(der).utf8)
    let body = stride(from: 0, to: text.count, by: 64).map {
      String(decoding: text[$0..<min($0 + 64, text.count)], as: UTF8.self)
    }
    return ["-----BEGIN \(label)-----"] + body + ["-----END \(label)-----"]
  }
}
