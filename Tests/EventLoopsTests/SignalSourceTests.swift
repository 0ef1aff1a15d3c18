import Glibc
import Testing

@testable import EventLoops

@Suite("Signals", .serialized)
struct SignalSourceTests {
  @Test("signals arrive in a sequence and do not end the process")
  func sequence() async throws {
    let source = try SignalSource([.hangUp, .interrupt])
    kill(getpid(), SIGHUP)
    var iterator = source.makeAsyncIterator()
    #expect(await iterator.next() == .hangUp)
    kill(getpid(), SIGINT)
    #expect(await iterator.next() == .interrupt)
    source.cancel()
    #expect(await iterator.next() == nil)
  }

  @Test("one source at a time has a signal, and gives it back")
  func exclusive() throws {
    let first = try SignalSource([.hangUp])
    let error = #expect(throws: SystemError.self) { try SignalSource([.terminate, .hangUp]) }
    #expect(error?.code == EBUSY)
    first.cancel()
    // Neither of the two signals is taken any more.
    let second = try SignalSource([.terminate, .hangUp])
    second.cancel()
    var action = sigaction()
    sigaction(SIGTERM, nil, &action)
    #expect(unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 0)
  }

  @Test("a source on a loop that stops ends its sequence")
  func loopStops() async throws {
    let loop = try EventLoop()
    try loop.start()
    let source = try SignalSource([.hangUp], on: loop)
    await loop.shutdown()
    for await _ in source { Issue.record("no signal was sent") }
  }
}
