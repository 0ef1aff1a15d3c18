import Cryptography

extension SignedPacket {
  /// A relay payload, and the key that must have signed it.
  public struct Unverified: Sendable {
    /// Signature, timestamp and DNS packet.
    public let relayPayload: [UInt8]
    /// Whose packet it is said to be: 32 bytes, if they are a key. Those of a signature that is right are one.
    public let publicKey: [UInt8]

    /// Nothing is checked yet.
    public init(relayPayload: [UInt8], publicKey: [UInt8]) {
      self.relayPayload = relayPayload
      self.publicKey = publicKey
    }
  }

  /// Checks several relay payloads for less than each alone would cost (see `Ed25519.SignatureGroup`).
  ///
  /// Each gets the result that `init(_:lastSeen:)` gives for the key and the payload.
  public static func verify(
    _ unverified: [Unverified], lastSeen: Timestamp = .wallClock
  ) -> [Result<SignedPacket, SignedPacketError>] {
    var results: [Result<SignedPacket, SignedPacketError>] = []
    results.reserveCapacity(unverified.count)
    var start = 0
    while start < unverified.count {
      let group = unverified[start..<min(start + Ed25519.SignatureGroup.capacity, unverified.count)]
      verify(group: group, lastSeen, &results)
      start = group.endIndex
    }
    return results
  }

  private static func verify(
    group: ArraySlice<Unverified>, _ lastSeen: Timestamp, _ results: inout [Result<SignedPacket, SignedPacketError>]
  ) {
    var signatures = Ed25519.SignatureGroup()
    let candidates = group.map { member in
      Result<[UInt8], SignedPacketError> { () throws(SignedPacketError) in
        let bytes = try canonicalForm(of: member)
        let signable = signableBytes(of: bytes.span.bytes)
        signatures.add(
          signature: bytes.span.bytes.extracting(32..<96), message: signable.span.bytes,
          publicKey: bytes.span.bytes.extracting(0..<32))
        return bytes
      }
    }
    let verdicts = signatures.verify()
    var added = 0
    for candidate in candidates {
      results.append(
        candidate.flatMap { bytes in
          defer { added += 1 }
          return Result { () throws(SignedPacketError) in
            let key = bytes.span.bytes.extracting(0..<32)
            guard verdicts[added], let verified = Ed25519.PublicKey(trusting: key) else {
              _ = try publicKey(key)
              throw .invalidSignature
            }
            return try SignedPacket(signed: bytes, by: PublicKey(verified), lastSeen: lastSeen)
          }
        })
    }
  }

  private static func canonicalForm(of member: Unverified) throws(SignedPacketError) -> [UInt8] {
    try checkLength(32 + member.relayPayload.count)
    guard member.publicKey.count == 32 else { throw .invalidPublicKey(.invalidLength(member.publicKey.count)) }
    return member.publicKey + member.relayPayload
  }
}
