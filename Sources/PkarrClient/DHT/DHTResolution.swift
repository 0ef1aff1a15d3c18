import EventLoops
import Mainline
import MainlineProtocol
import Pkarr

/// A lookup of a key on the DHT that is under way.
///
/// It has two stages: the first packet is the fastest answer, and comes before the lookup has ended; the completion is
/// the newest packet with a report. In between ``packets`` are those that were better than all before them. All may be
/// waited for by any number of tasks, in any order, and again.
///
/// The lookup ends early when the last copy of this value is released. A task that is cancelled stops waiting, which
/// does not end the lookup for others.
public struct DHTResolution: Sendable {
  private let lookup: Handle
  /// The node lives as long as somebody waits for what it looks up.
  private let node: MainlineNode

  init(_ items: MutableLookup, by node: MainlineNode, clock: ClientClock) {
    lookup = Handle(items, on: node.eventLoop, clock: clock)
    self.node = node
  }

  /// The first valid packet of the highest version known at that time; nil if the lookup ends, or the task is
  /// cancelled, without one. ``completion()`` says why.
  public func first() async -> SignedPacket? { await packet(at: 0) }

  /// Waits for the end of the lookup: the newest packet or why there is none, and how the nodes answered.
  public func completion() async -> DHTCompletion {
    await lookup.progress.completion() ?? DHTCompletion(.failure(.cancelled), report: ResolveReport(GetOutcome()))
  }

  /// The packets so far and those that will come, each more recent than the one before it.
  public var packets: Packets { Packets(resolution: self) }

  /// Waits for one of the ``packets``; nil if the lookup ends, or the task is cancelled, before there are so many.
  func packet(at index: Int) async -> SignedPacket? { await lookup.progress.packet(at: index) }

  /// Packets of a lookup, each more recent than the one before it, until it ends.
  public struct Packets: AsyncSequence, Sendable {
    let resolution: DHTResolution

    /// Begins with the first packet.
    public func makeAsyncIterator() -> Iterator { Iterator(resolution: resolution) }

    /// Waits for packets.
    public struct Iterator: AsyncIteratorProtocol {
      let resolution: DHTResolution
      private var index = 0

      init(resolution: DHTResolution) { self.resolution = resolution }

      /// The next packet; nil at the end of the lookup, or if the task is cancelled.
      public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async -> SignedPacket? {
        let packet = await resolution.packet(at: index)
        index += 1
        return packet
      }

      /// The next packet; nil at the end of the lookup, or if the task is cancelled.
      public mutating func next() async -> SignedPacket? { await next(isolation: nil) }
    }
  }

  /// Ends the lookup when it is released.
  private final class Handle: Sendable {
    let progress: LookupProgress
    private let task: Task<Void, Never>

    /// Follows the lookup on the node's loop, where its items come from.
    init(_ items: MutableLookup, on loop: EventLoop, clock: ClientClock) {
      let progress = LookupProgress()
      self.progress = progress
      task = Task(executorPreference: loop) {
        var selection = PacketSelection()
        do throws(QueryFailure) {
          for try await item in items {
            if let packet = selection.take(item, at: clock.wallClock()) { progress.add(packet) }
          }
          let report = ResolveReport(try await items.outcome().counts)
          progress.end(DHTCompletion(selection.result(report), report: report))
        } catch {
          progress.end(DHTCompletion(.failure(ResolveError(error)), report: ResolveReport(GetOutcome())))
        }
      }
    }

    deinit { task.cancel() }
  }
}

/// How a lookup of a key on the DHT ended.
public struct DHTCompletion: Sendable {
  /// The newest packet, or why there is none.
  public var result: Result<SignedPacket, ResolveError>
  /// How the nodes answered, and what each of those holds that the packet belongs to.
  public var report: ResolveReport

  /// Joins the parts.
  init(_ result: Result<SignedPacket, ResolveError>, report: ResolveReport) {
    self.result = result
    self.report = report
  }
}

/// What a lookup has brought so far, for those who wait for more.
private final class LookupProgress: Sendable {
  private struct State {
    var packets: [SignedPacket] = []
    var completion: DHTCompletion?
    var waiters: [Int: (index: Int?, continuation: CheckedContinuation<Void, Never>)] = [:]
    var nextWaiter = 0

    /// Whether somebody who waits for a packet, or for the end, need not wait any more.
    func isOver(_ index: Int?) -> Bool { completion != nil || index.map { $0 < packets.count } ?? false }
  }

  private let state = LockedValue(State())

  func add(_ packet: SignedPacket) { change { $0.packets.append(packet) } }

  func end(_ completion: DHTCompletion) { change { $0.completion = completion } }

  private func change(_ body: (inout State) -> Void) {
    let ready = state.withLock { state in
      body(&state)
      let ready = state.waiters.filter { state.isOver($0.value.index) }
      for id in ready.keys { state.waiters[id] = nil }
      return ready
    }
    for waiter in ready.values { waiter.continuation.resume() }
  }

  /// Nil if the lookup ended before there were so many, or the task is cancelled.
  func packet(at index: Int) async -> SignedPacket? {
    await wait(for: index)
    return state.withLock { index < $0.packets.count ? $0.packets[index] : nil }
  }

  /// Nil if the task is cancelled.
  func completion() async -> DHTCompletion? {
    await wait(for: nil)
    return state.withLock { $0.completion }
  }

  private func wait(for index: Int?) async {
    let id = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          // Cancelled before this line: the handler found nobody to wake.
          if state.isOver(index) || Task.isCancelled { return true }
          state.waiters[id] = (index, continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
    }
  }
}
