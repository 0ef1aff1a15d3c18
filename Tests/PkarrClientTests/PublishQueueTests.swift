import EventLoops
import Pkarr
import Testing

@testable import PkarrClient

@Suite("Publications of one key")
struct PublishQueueTests {
  private let key = Samples.keypair.publicKey

  /// Enters the queue in a task, and waits until it stands in line.
  private func line(
    up version: UInt64?, in queue: PublishQueue, behind count: Int
  ) async throws -> Task<Result<Void, PublishError>, Never> {
    let packet = try version.map { try Samples.packet($0) }
    let key = key
    let task = Task { await Result { () async throws(PublishError) in try await queue.enter(key, packet) } }
    await eventually { queue.waitingCount(key) > count }
    return task
  }

  private func outcome(_ task: Task<Result<Void, PublishError>, Never>) async -> PublishError? {
    if case .failure(let error) = await task.value { error } else { nil }
  }

  @Test("turns come one after the other, in the order of arrival")
  func order() async throws {
    let queue = PublishQueue()
    try await queue.enter(key, nil)
    let second = try await line(up: nil, in: queue, behind: 0)
    let third = try await line(up: nil, in: queue, behind: 1)
    queue.leave(key)
    #expect(await outcome(second) == nil)
    #expect(queue.waitingCount(key) == 1)
    queue.leave(key)
    #expect(await outcome(third) == nil)
    queue.leave(key)
    // Nothing is left behind.
    try await queue.enter(key, nil)
    queue.leave(key)
  }

  @Test("a newer packet takes the place of those that have not begun, an older one has no chance behind it")
  func superseded() async throws {
    let queue = PublishQueue()
    try await queue.enter(key, try Samples.packet(10))
    let older = try await line(up: 11, in: queue, behind: 0)
    let update = try await line(up: nil, in: queue, behind: 1)
    let newer = Task { [key] in
      await Result { () async throws(PublishError) in try await queue.enter(key, try! Samples.packet(12)) }
    }
    #expect(await outcome(older) == .notMostRecent)
    await eventually { queue.waitingCount(key) == 2 }
    await #expect(throws: PublishError.notMostRecent) { try await queue.enter(key, try Samples.packet(11)) }
    queue.leave(key)
    #expect(await outcome(update) == nil)
    queue.leave(key)
    #expect(await outcome(newer) == nil)
    queue.leave(key)
  }

  @Test("the very same packet need not wait for itself, and other keys wait for nobody")
  func together() async throws {
    let queue = PublishQueue()
    let packet = try Samples.packet(10)
    try await queue.enter(key, packet)
    try await queue.enter(key, packet)
    try await queue.enter(Keypair().publicKey, nil)
    let next = try await line(up: 11, in: queue, behind: 0)
    queue.leave(key)
    #expect(queue.waitingCount(key) == 1)
    queue.leave(key)
    #expect(await outcome(next) == nil)
    queue.leave(key)
  }

  @Test("who is cancelled leaves the line, and is let in no more")
  func cancellation() async throws {
    let queue = PublishQueue()
    try await queue.enter(key, nil)
    let waiting = try await line(up: 11, in: queue, behind: 0)
    waiting.cancel()
    #expect(await outcome(waiting) == .cancelled)
    #expect(queue.waitingCount(key) == 0)
    let late = Task { [key] in
      await eventually { Task.isCancelled }
      return await Result { () async throws(PublishError) in try await queue.enter(key, nil) }
    }
    late.cancel()
    #expect(await outcome(late) == .cancelled)
    queue.leave(key)
    try await queue.enter(key, nil)
    queue.leave(key)
  }

  @Test("publications run one after the other, and one that waits gives way to a newer one")
  func client() async throws {
    try await withNetworks(.relays) { networks in
      let gate = Gate()
      networks.relay.mood = .waiting(gate)
      let client = try await networks.client()
      let packets = try (1...3).map { try Samples.packet(UInt64($0)) }
      let first = Task { await client.attemptToPublish(packets[0]).result }
      await eventually { gate.waiterCount == 1 }
      let second = Task { await client.attemptToPublish(packets[1]).result }
      await eventually { client.queue.waitingCount(key) == 1 }
      let third = Task { await client.attemptToPublish(packets[2]).result }
      #expect(await second.value == .failure(.notMostRecent))
      #expect(networks.relay.requests.count == 1)
      gate.open()
      #expect(await first.value == .success(7))
      #expect(await third.value == .success(7))
      #expect(networks.relay.packet(of: key)?.isSame(as: packets[2]) == true)
    }
  }
}
