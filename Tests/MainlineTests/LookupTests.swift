import Addresses
import EventLoops
import MainlineProtocol
import Testing

@testable import Mainline

@Suite("Lookups as sequences")
struct LookupTests {
  static let peers = (1...4).map { [Endpoint(.loopbackV4, port: $0)] }

  @Test("what arrives is seen in order, then the outcome")
  func elements() async throws {
    let sink = LookupSink<[Endpoint]>()
    let lookup = PeerLookup(sink)
    for list in Self.peers { sink.yield(list) }
    var counts = GetOutcome()
    counts.values = 4
    sink.finish(.peers(counts))
    var seen: [[Endpoint]] = []
    for try await list in lookup { seen.append(list) }
    #expect(seen == Self.peers)
    #expect(try await lookup.outcome() == counts)
    #expect(!sink.isAbandoned)
  }

  @Test("a lookup that failed throws, after what it brought")
  func failure() async throws {
    let sink = LookupSink<[Endpoint]>()
    let lookup = PeerLookup(sink)
    sink.yield(Self.peers[0])
    sink.finish(.failed(.noNodes))
    var iterator = lookup.makeAsyncIterator()
    #expect(try await iterator.next() == Self.peers[0])
    await #expect(throws: QueryFailure.noNodes) { try await iterator.next() }
    await #expect(throws: QueryFailure.noNodes) { try await lookup.outcome() }
  }

  @Test("releasing the sequence abandons the lookup, leaving its loop does not")
  func release() async throws {
    let sink = LookupSink<[Endpoint]>()
    do {
      let lookup = PeerLookup(sink)
      sink.yield(Self.peers[0])
      for try await _ in lookup { break }
      #expect(!sink.isAbandoned)
      withExtendedLifetime(lookup) {}
    }
    #expect(sink.isAbandoned)
  }

  @Test("cancelling who iterates, or who waits for the outcome, abandons the lookup", arguments: [false, true])
  func cancellation(iterates: Bool) async throws {
    let sink = LookupSink<[Endpoint]>()
    sink.whenAbandoned { sink.finish(.failed(.cancelled)) }
    let lookup = PeerLookup(sink)
    let task = Task {
      if iterates { for try await _ in lookup {} } else { _ = try await lookup.outcome() }
    }
    task.cancel()
    await #expect(throws: QueryFailure.cancelled) { try await task.value }
    #expect(sink.isAbandoned)
  }

  @Test("who asks too late to be told of the end is told at once")
  func tooLate() {
    let sink = LookupSink<[Endpoint]>()
    sink.abandon()
    let wasTold = LockedValue(false)
    sink.whenAbandoned { wasTold.withLock { $0 = true } }
    #expect(wasTold.withLock { $0 })
  }
}
