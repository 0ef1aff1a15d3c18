import Addresses
import Cryptography
import EventLoops
import Pkarr
import Synchronization

/// Checks the signatures of packets that arrive on one event loop, a few each turn, in the order of
/// ``VerificationQueue``. Touched on the loop's thread only, except where said otherwise.
///
/// A group of signatures costs little more than one of them. So a packet waits a moment for others when they are likely to
/// come: while many are being published, since each of these makes room for a client's next one.
final class VerificationLane: @unchecked Sendable {
  /// Signatures checked together before the loop looks at its connections again: at most a third of a millisecond.
  static let jobsPerTurn = Ed25519.SignatureGroup.capacity
  /// Packets under way that make it likely that others come.
  static let company = jobsPerTurn

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

  /// When the next signatures are checked.
  private enum Turn {
    case none
    case soon
    case later(TimerHandle)
  }

  let loop: EventLoop
  /// Packets that were checked and are being published. Any thread may change it.
  let underWay = Atomic<Int>(0)
  private let counter: RelayCounter
  private let gatherTime: Duration
  private var queue = VerificationQueue<Job>()
  private var turn = Turn.none

  /// `gatherTime`: how long a packet waits for others, if they are likely to come.
  init(on loop: EventLoop, _ counter: RelayCounter, gatherTime: Duration = .milliseconds(2)) {
    self.loop = loop
    self.counter = counter
    self.gatherTime = gatherTime
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
    if queue.isEmpty { return }
    let isSoon = queue.count >= Self.jobsPerTurn || underWay.load(ordering: .relaxed) < Self.company
    switch turn {
    case .soon: return
    case .later(let timer):
      guard isSoon else { return }
      loop.cancel(timer)
    case .none:
      guard !isSoon else { break }
      turn = .later(loop.schedule(after: gatherTime) { self.takeTurn() })
      return
    }
    turn = .soon
    loop.execute { self.takeTurn() }
  }

  private func takeTurn() {
    turn = .none
    work()
    schedule()
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
