import Addresses
import Cryptography
import Pkarr

/// Server cookies that any server with the same secret can check (RFC 9018 §4): 16 bytes, a version, three reserved bytes,
/// the time, and the SipHash-2-4 of all that with the client's cookie and address.
struct ServerCookie {
  /// Bytes of a server cookie.
  static let length = 16
  /// Cookies are taken up to this age in seconds (RFC 9018 §4.3).
  static let lifetime: UInt32 = 3600
  /// How far ahead the clock of another server may be.
  static let tolerance: UInt32 = 300
  /// Older cookies are replaced in answers.
  static let renewal: UInt32 = 1800

  private let current: SipHash
  private let previous: SipHash?

  /// Makes and checks cookies with one secret, and still checks those of the one before.
  init(secret: CookieSecret, previous: CookieSecret?) {
    current = SipHash(key: (secret.low, secret.high))
    self.previous = previous.map { SipHash(key: ($0.low, $0.high)) }
  }

  /// What the client sent.
  enum Verdict: Hashable {
    /// Right, and so old that it is to be replaced or not.
    case valid(needsRenewal: Bool)
    /// Wrong, too old, or of another kind.
    case invalid
  }

  /// Checks the 16 bytes that a client sent back.
  func check(
    _ cookie: UnsafeRawBufferPointer, clientCookie: UInt64, client: IPAddress, at wallClock: Timestamp
  ) -> Verdict {
    guard cookie.count == Self.length, cookie[0] == 1, let base = cookie.baseAddress else { return .invalid }
    let fields = UInt64(bigEndian: base.loadUnaligned(as: UInt64.self))
    let hash = base.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    let time = UInt32(truncatingIfNeeded: fields)
    // Serial number arithmetic: the clock of 32 bits wraps around in 2106.
    let age = Self.seconds(wallClock) &- time
    guard age <= Self.lifetime || 0 &- age <= Self.tolerance else { return .invalid }
    let isOfCurrent = Self.hash(fields, clientCookie: clientCookie, client: client, with: current) == hash
    if isOfCurrent { return .valid(needsRenewal: age > Self.renewal && age <= Self.lifetime) }
    guard let previous, Self.hash(fields, clientCookie: clientCookie, client: client, with: previous) == hash else {
      return .invalid
    }
    return .valid(needsRenewal: true)
  }

  /// A fresh cookie: its first eight bytes as a number, and its last eight as they lie in memory.
  func make(clientCookie: UInt64, client: IPAddress, at wallClock: Timestamp) -> (fields: UInt64, hash: UInt64) {
    let fields = 1 << 56 | UInt64(Self.seconds(wallClock))
    return (fields, Self.hash(fields, clientCookie: clientCookie, client: client, with: current))
  }

  private static func seconds(_ time: Timestamp) -> UInt32 {
    UInt32(truncatingIfNeeded: time.microseconds / 1_000_000)
  }

  private static func hash(_ fields: UInt64, clientCookie: UInt64, client: IPAddress, with key: SipHash) -> UInt64 {
    var input = (clientCookie, fields.bigEndian, UInt64(0), UInt64(0))
    if let v4 = client.v4 {
      // Four bytes in memory order, the rest unused.
      input.2 = UInt64(v4.byteSwapped).littleEndian
    } else {
      input.2 = client.high.bigEndian
      input.3 = client.low.bigEndian
    }
    let count = client.isIPv4 ? 20 : 32
    return withUnsafeBytes(of: &input) {
      key.hash(UnsafeRawBufferPointer(rebasing: $0[..<count])).littleEndian
    }
  }
}
