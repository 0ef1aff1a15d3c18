import EventLoops
import HTTP
import Pkarr
import Testing

@testable import PkarrClient

@Suite("A relay's client")
struct RelayClientTests {
  private let key = Samples.keypair.publicKey
  private let url: RelayURL = "https://relay.example"

  /// A client of a relay that gives these responses one after the other, and the requests that it got.
  private func client(
    _ responses: RelayResponse...
  ) -> (client: RelayClient, requests: @Sendable () -> [RelayRequest]) {
    let log = Log()
    let transport = ScriptedTransport { request in
      let index = log.add(request)
      return index < responses.count ? .success(responses[index]) : .failure(.failed("no more responses"))
    }
    return (RelayClient(url, transport: transport), { log.requests })
  }

  private final class Log: Sendable {
    private let state = LockedValue<[RelayRequest]>([])
    var requests: [RelayRequest] { state.withLock { $0 } }
    func add(_ request: RelayRequest) -> Int {
      state.withLock { requests in
        requests.append(request)
        return requests.count - 1
      }
    }
  }

  @Test("a 304 that nobody asked for comes from a broken cache, and is asked again past it")
  func unaskedNotModified() async throws {
    let packet = try Samples.packet(9)
    let (client, requests) = client(
      RelayResponse(status: 304), RelayResponse(status: 200, body: packet.relayPayload))
    #expect(try await client.resolve(key).isSame(as: packet))
    #expect(requests().map { $0.fields[.cacheControl] } == [nil, "no-cache, no-store, must-revalidate"])
  }

  @Test("an empty packet comes from a broken cache, and is asked again past it", arguments: [true, false])
  func emptyBody(declaresLength: Bool) async throws {
    let packet = try Samples.packet(9)
    let (client, requests) = client(
      RelayResponse(status: 200, fields: declaresLength ? [.contentLength: "0"] : [:]),
      RelayResponse(status: 200, body: packet.relayPayload))
    #expect(try await client.resolve(key).isSame(as: packet))
    #expect(requests().count == 2)
  }

  @Test("a body of unannounced length is no sign of a broken cache")
  func unknownLength() async throws {
    let packet = try Samples.packet(9)
    let (client, requests) = client(RelayResponse(status: 200, body: packet.relayPayload))
    #expect(try await client.resolve(key).isSame(as: packet))
    #expect(requests().count == 1)
  }

  @Test("a broken cache is asked twice and no more")
  func stubbornCache() async throws {
    let (client, requests) = client(RelayResponse(status: 304), RelayResponse(status: 304), RelayResponse(status: 304))
    await #expect(throws: RelayError.notFound) { try await client.resolve(key) }
    #expect(requests().count == 2)
  }

  @Test("a 304 that was asked for says that there is nothing newer")
  func notModified() async throws {
    let (client, requests) = client(RelayResponse(status: 304))
    await #expect(throws: RelayError.notFound) {
      try await client.resolve(key, newerThan: Timestamp(microseconds: 1_700_000_000_000_000))
    }
    #expect(requests().count == 1)
  }

  @Test("what is published is found again")
  func roundTrip() async throws {
    let relay = MemoryRelay(url)
    let client = RelayClient(url, transport: MemoryTransport(relay))
    let packet = try Samples.packet()
    await #expect(throws: RelayError.notFound) { try await client.resolve(key) }
    #expect(try await client.publish(packet) == 7)
    relay.storedNodes = nil
    #expect(try await client.publish(packet) == 1)
    #expect(try await client.resolve(key).isSame(as: packet))
    await #expect(throws: RelayError.notMostRecent) {
      try await client.publish(try Samples.packet(packet.timestamp.microseconds - 1))
    }
  }

  @Test("a request is given up after its time, though the transport waits on")
  func timeout() async throws {
    let clock = ManualClock()
    let relay = MemoryRelay(url)
    relay.mood = .silent
    let client = RelayClient(url, transport: MemoryTransport(relay), timeout: .seconds(2), clock: clock.clock)
    let lookup = Task { await Result { () async throws(RelayError) in try await client.resolve(key) } }
    await eventually { clock.pending == [.seconds(2)] }
    clock.advance(by: .seconds(2))
    #expect(await lookup.value == .failure(.timeout))
  }

  @Test("a transport that ignores its cancellation holds nobody up")
  func stubbornTransport() async throws {
    let clock = ManualClock()
    let gate = Gate()
    let ended = Gate()
    let transport = ScriptedTransport { _ in
      // A task of its own hears nothing of the cancellation.
      await Task.detached { await gate.wait() }.value
      ended.open()
      return .success(RelayResponse(status: 500))
    }
    let client = RelayClient(url, transport: transport, timeout: .seconds(2), clock: clock.clock)
    let late = Task { await Result { () async throws(RelayError) in try await client.resolve(key) } }
    await eventually { gate.waiterCount == 1 && clock.pending == [.seconds(2)] }
    clock.advance(by: .seconds(2))
    #expect(await late.value == .failure(.timeout))
    let cancelled = Task { await Result { () async throws(RelayError) in try await client.resolve(key) } }
    await eventually { gate.waiterCount == 2 }
    cancelled.cancel()
    #expect(await cancelled.value == .failure(.cancelled))
    gate.open()
    await ended.wait()
  }

  @Test("a cancelled request ends")
  func cancellation() async throws {
    let relay = MemoryRelay(url)
    relay.mood = .silent
    let client = RelayClient(url, transport: MemoryTransport(relay), clock: ManualClock().clock)
    let lookup = Task { await Result { () async throws(RelayError) in try await client.resolve(key) } }
    await eventually { !relay.requests.isEmpty }
    lookup.cancel()
    #expect(await lookup.value == .failure(.cancelled))
  }
}

extension Result where Success: Sendable {
  /// The result of an asynchronous call.
  init(_ body: () async throws(Failure) -> Success) async {
    do throws(Failure) {
      self = .success(try await body())
    } catch {
      self = .failure(error)
    }
  }
}
