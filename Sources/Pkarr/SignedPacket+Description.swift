import WireFormat

extension SignedPacket: CustomStringConvertible, CustomDebugStringConvertible {
  /// Several lines for a person: key, age, timestamp, signature and one line for each record.
  public var description: String { description(at: .wallClock) }

  /// Several lines for a person, the age counted up to `now`.
  public func description(at now: Timestamp) -> String {
    var lines = ["SignedPacket (\(publicKey.z32)):", "  last_seen: \(elapsed(at: now)) seconds ago"]
    lines.append("  timestamp: \(timestamp)" + (timestamp.httpDate.map { " (\($0))" } ?? ""))
    lines.append("  signature: \(Hex.encode(signature.bytes))")
    lines.append("  records:")
    let apex = publicKey.domainName
    for record in records {
      let name = PublicKey.relativeName(of: record.name, below: apex)
      lines.append("    \(name) \(record.class) \(record.ttl) \(record.type) \(record.data.presentation)")
    }
    return lines.joined(separator: "\n")
  }

  /// One line: key, timestamp, number of records and of bytes.
  public var debugDescription: String {
    "SignedPacket(\(publicKey.z32), \(timestamp), \(recordCount) records, \(bytes.count) bytes)"
  }
}
