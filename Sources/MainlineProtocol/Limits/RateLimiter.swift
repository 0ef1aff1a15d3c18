import Addresses

/// How much others may ask of us: queries, bytes of answers and signature checks, for each address and all together.
///
/// An address is an IPv4 address or an IPv6 /64. The table of addresses is bounded (the one heard of least recently is
/// forgotten, and starts afresh), each decision is O(1). Who is above a limit is ignored, never told: an error message
/// would be traffic again.
struct RateLimiter: Sendable {
  private struct Address: Sendable {
    var queries = TokenBucket()
    var answerBytes = TokenBucket()
    var verifications = TokenBucket()

    func isIdle(at now: Instant) -> Bool {
      queries.isFull(at: now) && answerBytes.isFull(at: now) && verifications.isFull(at: now)
    }
  }

  /// How many addresses are remembered.
  static let maximumAddressCount = 20_000

  private let queryRate: Rate
  private let answerRate: Rate
  private let verificationRate: Rate
  private let totalAnswerRate: Rate
  private let totalVerificationRate: Rate
  private let isOn: Bool
  private var addresses = RecencyMap<AddressBlock, Address>(capacity: Self.maximumAddressCount)
  private var totalAnswerBytes = TokenBucket()
  private var totalVerifications = TokenBucket()

  /// The limits of `rates`; `isOn` false lets everything pass.
  init(_ rates: RateLimits, isOn: Bool = true) {
    self.isOn = isOn
    queryRate = Rate(perSecond: rates.queriesPerAddress, burst: rates.queryBurstPerAddress)
    answerRate = Rate(perSecond: rates.answerBytesPerAddress, burst: rates.answerByteBurstPerAddress)
    // Nobody needs a burst of puts: half a second's worth for all, one second's worth for one.
    verificationRate = Rate(perSecond: rates.verificationsPerAddress, burst: rates.verificationsPerAddress)
    totalVerificationRate = Rate(perSecond: rates.verifications, burst: rates.verifications / 2)
    totalAnswerRate = Rate(perSecond: rates.answerBytes, burst: rates.answerBytes * 2)
  }

  /// Number of addresses remembered.
  var addressCount: Int { addresses.count }

  /// Forgets addresses that have used nothing of what they may: a new entry would be the same.
  mutating func forgetIdle(at now: Instant) {
    addresses.removeOldest { $0.isIdle(at: now) }
    addresses.shrink()
  }

  /// Counts a query; false: drop it.
  mutating func admitQuery(from address: IPAddress, at now: Instant) -> Bool {
    guard isOn else { return true }
    return addresses.touch(.host(address), initial: Address(), forgetting: { $0.isIdle(at: now) }) {
      $0.queries.admit(rate: queryRate, now: now)
    }
  }

  /// Counts an answer of `byteCount` bytes; false: do not send it.
  mutating func admitAnswer(ofBytes byteCount: Int, to address: IPAddress, at now: Instant) -> Bool {
    guard isOn else { return true }
    let bytes = Double(byteCount)
    guard totalAnswerBytes.holds(bytes, rate: totalAnswerRate, now: now) else { return false }
    let admitted = addresses.touch(.host(address), initial: Address(), forgetting: { $0.isIdle(at: now) }) {
      $0.answerBytes.admit(bytes, rate: answerRate, now: now)
    }
    if admitted { totalAnswerBytes.take(bytes, rate: totalAnswerRate, now: now) }
    return admitted
  }

  /// Counts a signature to be verified for `address`; false: drop the query.
  mutating func admitVerification(for address: IPAddress, at now: Instant) -> Bool {
    guard isOn else { return true }
    guard totalVerifications.holds(1, rate: totalVerificationRate, now: now) else { return false }
    let admitted = addresses.touch(.host(address), initial: Address(), forgetting: { $0.isIdle(at: now) }) {
      $0.verifications.admit(rate: verificationRate, now: now)
    }
    if admitted { totalVerifications.take(1, rate: totalVerificationRate, now: now) }
    return admitted
  }
}
