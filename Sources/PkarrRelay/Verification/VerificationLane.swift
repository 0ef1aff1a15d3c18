import Addresses
import Cryptography
import EventLoops
import Pkarr

/// Checks the signatures of packets that arrive on one event loop, a few each turn, in the order of
/// ``VerificationQueue``. Touched on the loop's thread only, except where said otherwise.
final class VerificationLane: @unchecked Sendable {
  /// Signatures checked together before the loop looks at its connections again: at most a third of a millisecond.
  static let jobsPerTurn = Ed25519.SignatureGroup.capacity

  /// A packet that waits.
  private final class Job: @unchecked Sendable {
    let packet: SignedPacket.Unverified
    private var continuation: UnsafeContinuation<Result<SignedPacket, RelayFailure>, Never>?

    init(_ packet: SignedPacket.Unverified) { self.packet = packet }

    /// True once nobody waits for it any more.
    var isOver: Bool { continuation == nil }

    func wait(_ continuation: UnsafeContinuation<Result<SignedPacket, RelayFailure>, Never>) {
      self.continuation = continuation
    }

    func answer(_ result: Result<SignedPacket, RelayFailure>) {
      continuation?.resume(returning: result)
      continuation = nil
    }
  }

  let loop: EventLoop
  private let counter: RelayCounter
  private var queue = VerificationQueue<Job>()
  private var isScheduled = false

  init(on loop: EventLoop, _ counter: RelayCounter) {
    self.loop = loop
    self.counter = counter
  }

  /// How many packets wait. Any thread may ask.
  func waiting() async -> Int { await loop.submit { self.queue.count } }

  /// Checks a relay payload at once.
  static func verify(_ payload: [UInt8], key: [UInt8]) throws(RelayFailure) -> SignedPacket {
    try SignedPacket.verify([SignedPacket.Unverified(relayPayload: payload, publicKey: key)])[0]
      .mapError { failure($0, key) }.get()
  }

  /// Checks a relay payload of a key's 32 bytes once it is its turn. Any thread may ask.
  ///
  /// Throws `RelayFailure.invalidKey` or `.invalidPacket`, or `.busy` if too many wait already.
  func verify(_ payload: [UInt8], key: [UInt8], from client: IPAddress?) async throws(RelayFailure) -> SignedPacket {
    // Not worth a place: no signature has to be checked for that.
    let length = payload.count + 32
    guard length >= SignedPacket.prefixLength else { throw Self.failure(.tooShort(length), key) }
    guard length <= SignedPacket.maximumLength else { throw Self.failure(.tooLarge(length), key) }
    let job = Job(SignedPacket.Unverified(relayPayload: payload, publicKey: key))
    let result = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let enter: @Sendable () -> Void = {
          job.wait(continuation)
          self.enter(job, client)
        }
        if loop.isOnLoop { enter() } else { loop.execute(enter) }
      }
    } onCancel: {
      // Behind the closure that enters it.
      loop.execute { job.answer(.failure(.cancelled)) }
    }
    return try result.get()
  }

  private func enter(_ job: Job, _ client: IPAddress?) {
    switch queue.add(job, from: client, at: MonotonicClock.now) {
    case .waiting: break
    case .waitingInsteadOf(let other): other.answer(.failure(.busy))
    case .refused: return job.answer(.failure(.busy))
    }
    schedule()
  }

  private func schedule() {
    if isScheduled || queue.isEmpty { return }
    isScheduled = true
    loop.execute {
      self.isScheduled = false
      self.work()
      self.schedule()
    }
  }

  private func work() {
    let now = MonotonicClock.now
    let jobs = queue.next(upTo: Self.jobsPerTurn, at: now).filter { !$0.job.isOver }
    let results = SignedPacket.verify(jobs.map(\.job.packet))
    for ((client, job), result) in zip(jobs, results) {
      let isValid = (try? result.get()) != nil
      queue.report(client, isValid: isValid, at: now)
      counter.add { counts in
        counts.verified &+= 1
        if !isValid { counts.invalid &+= 1 }
      }
      job.answer(result.mapError { Self.failure($0, job.packet.publicKey) })
    }
  }

  /// A wrong key comes first, whatever else is wrong.
  private static func failure(_ error: SignedPacketError, _ key: [UInt8]) -> RelayFailure {
    do throws(PublicKeyError) {
      _ = try PublicKey(key)
      return .invalidPacket(error)
    } catch {
      return .invalidKey(error)
    }
  }
}
