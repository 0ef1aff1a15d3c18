import EventLoops
import Pkarr

/// Lets the publications of one key run one after the other.
///
/// Publications of different keys do not wait for each other, nor do those of the very same packet. One that waits ends as
/// soon as a newer packet of its key arrives: nobody wants it any more.
final class PublishQueue: Sendable {
  fileprivate struct Turn {
    let id: Int
    /// Nil if the packet is yet to be made.
    let packet: SignedPacket?
    let continuation: CheckedContinuation<PublishError?, Never>
  }

  fileprivate struct Lane {
    var packet: SignedPacket?
    var running = 1
    var waiting: [Turn] = []
  }

  fileprivate struct State {
    var lanes: [PublicKey: Lane] = [:]
    var next = 0
  }

  private let state = LockedValue(State())

  /// How many wait for their turn.
  func waitingCount(_ key: PublicKey) -> Int { state.withLock { $0.lanes[key]?.waiting.count ?? 0 } }

  /// Waits for the turn of a packet, or of an update of a key whose packet is yet to be made; ``leave(_:)`` must follow.
  ///
  /// - Throws: `PublishError.notMostRecent` if a newer one waits, `.cancelled`.
  func enter(_ key: PublicKey, _ packet: SignedPacket?) async throws(PublishError) {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    let refusal = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let turn = Turn(id: id, packet: packet, continuation: continuation)
        for (turn, refusal) in state.withLock({ $0.line(up: turn, key, isCancelled: Task.isCancelled) }) {
          turn.continuation.resume(returning: refusal)
        }
      }
    } onCancel: {
      state.withLock { $0.withdraw(id, key) }?.continuation.resume(returning: .cancelled)
    }
    if let refusal { throw refusal }
  }

  /// Ends a turn.
  func leave(_ key: PublicKey) { state.withLock { $0.advance(key) }?.continuation.resume(returning: nil) }
}

extension PublishQueue.State {
  /// Decides about a turn and those that it concerns: nil lets it begin.
  fileprivate mutating func line(
    up turn: PublishQueue.Turn, _ key: PublicKey, isCancelled: Bool
  ) -> [(PublishQueue.Turn, PublishError?)] {
    if isCancelled { return [(turn, .cancelled)] }
    guard var lane = lanes[key] else {
      lanes[key] = PublishQueue.Lane(packet: turn.packet)
      return [(turn, nil)]
    }
    guard let packet = turn.packet else {
      lanes[key]!.waiting.append(turn)
      return []
    }
    if lane.waiting.isEmpty, lane.packet?.isSame(as: packet) ?? false {
      lanes[key]!.running += 1
      return [(turn, nil)]
    }
    if lane.waiting.contains(where: { $0.packet?.isMoreRecent(than: packet) ?? false }) {
      return [(turn, .notMostRecent)]
    }
    let superseded = lane.waiting.filter { $0.packet.map { packet.isMoreRecent(than: $0) } ?? false }
    lane.waiting.removeAll { waiting in superseded.contains { $0.id == waiting.id } }
    lane.waiting.append(turn)
    lanes[key] = lane
    return superseded.map { ($0, .notMostRecent) }
  }

  /// Takes back a turn that has not begun.
  fileprivate mutating func withdraw(_ id: Int, _ key: PublicKey) -> PublishQueue.Turn? {
    guard let index = lanes[key]?.waiting.firstIndex(where: { $0.id == id }) else { return nil }
    return lanes[key]!.waiting.remove(at: index)
  }

  /// The turn that begins after one has ended.
  fileprivate mutating func advance(_ key: PublicKey) -> PublishQueue.Turn? {
    guard var lane = lanes[key] else { return nil }
    lane.running -= 1
    guard lane.running == 0 else {
      lanes[key] = lane
      return nil
    }
    guard !lane.waiting.isEmpty else {
      lanes[key] = nil
      return nil
    }
    let next = lane.waiting.removeFirst()
    lane.packet = next.packet
    lane.running = 1
    lanes[key] = lane
    return next
  }
}
