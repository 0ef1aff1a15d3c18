import MainlineProtocol
import Pkarr

/// Decides when a resolution over the DHT and relays has ended, and with what. A value: answers go in, and whether to go
/// on comes out.
///
/// | policy | ends |
/// | --- | --- |
/// | `CacheOnly` | with the first packet of a relay, or when all relays have answered |
/// | `CacheFirst` | with the first acceptable answer of either side, or when both sides have ended |
/// | `NetworkOnly` | when both sides have ended, or, a grace later, when they agree |
///
/// An error of one side never ends it while the other one may still bring something.
struct ResolveRace: Sendable {
  /// What a relay has said so far.
  enum RelayState: Sendable {
    case pending
    case answered(SignedPacket)
    case failed(RelayError)
  }

  let policy: ResolvePolicy
  private let context: CacheContext?
  private let asksDHT: Bool
  let relayURLs: [RelayURL]
  private(set) var relays: [RelayState]
  private(set) var completion: DHTCompletion?
  private(set) var newest: ResolveAccumulator.Candidate?

  private var relaySide: ResolveAccumulator
  private var dhtSide: ResolveAccumulator
  /// A side has brought something that is good enough to end the race.
  private var isWon = false
  private var relaySideEnded: Bool
  private var dhtSideEnded: Bool
  private var isCutShort = false

  /// `context` is for `CacheFirst` only. At least one side takes part.
  init(policy: ResolvePolicy, context: CacheContext?, relays urls: [RelayURL], asksDHT: Bool) {
    self.policy = policy
    self.context = policy == .cacheFirst ? context : nil
    self.asksDHT = asksDHT && policy != .cacheOnly
    relayURLs = urls
    relays = urls.map { _ in .pending }
    relaySide = ResolveAccumulator(context: self.context)
    dhtSide = ResolveAccumulator(context: self.context)
    relaySideEnded = urls.isEmpty
    dhtSideEnded = !self.asksDHT
  }

  // MARK: - What happens

  /// A relay has answered or failed.
  mutating func relayEnded(_ index: Int, _ result: Result<SignedPacket, RelayError>, at now: Timestamp) {
    switch result {
    case .success(let packet):
      relays[index] = .answered(packet)
      note(packet, from: .relay(relayURLs[index]))
    case .failure(let error): relays[index] = .failed(error)
    }
    let isAcceptable = relaySide.record(
      result.mapError(\.resolveError), from: .relay(relayURLs[index]), at: now)
    if isAcceptable, policy != .networkOnly { isWon = true }
    relaySideEnded = isWon || relays.allSatisfy { if case .pending = $0 { false } else { true } }
  }

  /// The DHT has brought a packet better than those before, and goes on.
  mutating func dhtFound(_ packet: SignedPacket, at now: Timestamp) {
    note(packet, from: .dht)
    guard policy == .cacheFirst else { return }
    var trial = dhtSide
    guard trial.record(.success(packet), from: .dht, at: now) else { return }
    dhtSide = trial
    dhtSideEnded = true
    isWon = true
  }

  /// The lookup on the DHT has ended.
  mutating func dhtEnded(_ completion: DHTCompletion, at now: Timestamp) {
    self.completion = completion
    if case .success(let packet) = completion.result { note(packet, from: .dht) }
    let isAcceptable = dhtSide.record(completion.result, from: .dht, at: now)
    dhtSideEnded = true
    if isAcceptable, policy == .cacheFirst { isWon = true }
  }

  /// The grace for relays that have not answered is over.
  mutating func graceEnded() { if isAgreed { isCutShort = true } }

  private mutating func note(_ packet: SignedPacket, from source: PacketSource) {
    let candidate = ResolveAccumulator.Candidate(packet: packet, source: source)
    if candidate.isBetter(than: newest) { newest = candidate }
  }

  // MARK: - What it means

  /// True if nothing more is waited for.
  var isOver: Bool { isWon || isCutShort || (relaySideEnded && dhtSideEnded) }

  /// True if the race was ended by a good answer before everybody had answered.
  var isEarly: Bool { isWon && !(everyRelayEnded && (completion != nil || !asksDHT)) }

  private var everyRelayEnded: Bool { relays.allSatisfy { if case .pending = $0 { false } else { true } } }

  /// The relays that have not answered.
  var pendingRelays: [Int] { relays.indices.filter { if case .pending = relays[$0] { true } else { false } } }

  /// Relays that have answered in a way that says what they hold.
  private var informedRelays: [SignedPacket?] {
    relays.compactMap { state in
      switch state {
      case .answered(let packet): .some(packet)
      case .failed(.notFound): .some(nil)
      case .pending, .failed: nil
      }
    }
  }

  /// True if enough is known to do without the relays that are still pending.
  ///
  /// With the DHT: its lookup has ended, most of the closest nodes that hold anything hold the newest version of all, and
  /// a relay has answered. Without: more than half of the relays have answered, all the same.
  var isAgreed: Bool {
    guard policy == .networkOnly, !informedRelays.isEmpty else { return false }
    let answers = informedRelays
    guard asksDHT else {
      return answers.count * 2 > relays.count
        && answers.allSatisfy { answer in
          guard let answer, let newest else { return answer == nil && newest == nil }
          return answer.isSame(as: newest.packet)
        }
    }
    guard let completion else { return false }
    switch completion.result {
    case .success(let packet):
      guard let newest, newest.packet.isSame(as: packet) else { return false }
      let closest = completion.report.counts.storageNodes.filter { $0.seq != nil }.prefix(Self.closestCount)
      return closest.count { $0.seq == packet.timestamp.seq } * 2 > closest.count
    case .failure(.notFound): return newest == nil
    case .failure: return false
    }
  }

  /// How many nodes around a key every implementation asks.
  private static let closestCount = 8

  /// The answer. Each side is reduced to one result first, as two backends are.
  var result: Result<ResolveAccumulator.Candidate, ResolveError> {
    let relayResult = relayURLs.isEmpty ? nil : relaySide.result
    let dhtResult = asksDHT ? dhtSide.result : nil
    guard let relayResult else { return dhtResult ?? .failure(.notFound) }
    guard let dhtResult else { return relayResult }
    if isWon {
      // The side that lost may not have ended, so its result means nothing.
      if !dhtSideEnded { return relayResult }
      if !relaySideEnded { return dhtResult }
    }
    var both = ResolveAccumulator(context: context)
    for result in [relayResult, dhtResult] {
      switch result {
      case .success(let candidate): both.record(candidate)
      case .failure(let error): _ = both.record(.failure(error), from: .dht)
      }
    }
    return both.result
  }
}
