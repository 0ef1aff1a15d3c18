import Addresses
import Cryptography
import WireFormat

/// Issues and checks write tokens: proof that whoever writes to us can receive at his address (BEP 5, BEP 44).
///
/// A token is 8 bytes: SipHash-2-4 under a random key over the period of five minutes, the address and the target. It is
/// valid in its own period and in the next, so for five to ten minutes; the period is a number read off the clock, so
/// nothing has to be rotated and nothing outlives its time while the node idles. Bound to address and target, one token
/// tells nothing about any other.
struct TokenIssuer: Sendable {
  /// Length of a token in bytes.
  static let tokenSize = 8
  /// How long tokens are the same.
  static let period: Duration = .seconds(300)

  private static let periodNanoseconds: Int64 = 300_000_000_000
  private let hash: SipHash
  private let start: Instant

  /// Takes a fresh key; the first period begins `now`.
  init(random: inout RandomSource, at now: Instant) {
    hash = SipHash(random: &random)
    start = now
  }

  /// The token for a writer at `address` who asked for `target`.
  func token(for address: IPAddress, target: NodeID, at now: Instant) -> UInt64 {
    digest(address, target, period: period(at: now))
  }

  /// Whether `token` was issued to `address` for `target` in this period or the one before. Takes the same time for
  /// every wrong token of eight bytes.
  func isValid(_ token: RawSpan, from address: IPAddress, target: NodeID, at now: Instant) -> Bool {
    guard token.byteCount == Self.tokenSize else { return false }
    let claimed = UInt64(bigEndian: token.unsafeLoadUnaligned(as: UInt64.self))
    let period = period(at: now)
    let current = digest(address, target, period: period) ^ claimed
    let previous = digest(address, target, period: period &- 1) ^ claimed
    // Whole words are compared, so the time taken does not tell how many bytes are right.
    return current == 0 || previous == 0
  }

  private func period(at now: Instant) -> Int64 {
    let elapsed = now.nanoseconds.subtractingReportingOverflow(start.nanoseconds).partialValue
    return elapsed / Self.periodNanoseconds
  }

  private func digest(_ address: IPAddress, _ target: NodeID, period: Int64) -> UInt64 {
    withUnsafeTemporaryAllocation(byteCount: 44, alignment: 8) { buffer in
      var writer = WireWriter(buffer)
      writer.write(UInt64(bitPattern: period))
      writer.write(address.high)
      writer.write(address.low)
      target.write(to: &writer)
      return hash.hash(writer.written)
    }
  }
}
