import EventLoops
import Testing

@testable import HTTP

@Suite("A body on its way to who reads it")
struct BodyPipeTests {
  private func deliver(_ text: String, to pipe: BodyPipe) { withBytes(text) { pipe.deliver($0) } }

  @Test("a body that is there already is read once, without a loop")
  func ready() async throws {
    let body = HTTPBodyReader(Array("hello".utf8))
    #expect(body.announcedLength == 5)
    #expect(try await body.collect(upTo: 5) == Array("hello".utf8))
    #expect(try await body.read() == nil)
    #expect(try await HTTPBodyReader().read() == nil)
    await #expect(throws: HTTPError.tooLarge(limit: 4)) { try await HTTPBodyReader([1, 2, 3, 4, 5]).collect(upTo: 4) }
    await #expect(throws: HTTPError.tooLarge(limit: -1)) { try await HTTPBodyReader([1]).collect(upTo: -1) }
  }

  @Test("pieces come in order, whether the reader or the bytes are first, and then the end")
  func order() async throws {
    try await withLoop { loop async throws in
      let pipe = BodyPipe(on: loop, announcedLength: nil)
      let body = HTTPBodyReader(pipe)
      await loop.value {
        deliver("a", to: pipe)
        deliver("", to: pipe)
        deliver("b", to: pipe)
      }
      #expect(try await body.read() == Array("a".utf8))
      #expect(try await body.read() == Array("b".utf8))
      // From here on the reader waits, and each of its demands brings a piece.
      await loop.value {
        var left = ["c", "d"]
        pipe.onDemand = {
          if left.isEmpty { pipe.finish() } else { deliver(left.removeFirst(), to: pipe) }
        }
      }
      var rest: [[UInt8]] = []
      for try await piece in body { rest.append(piece) }
      #expect(rest == [Array("c".utf8), Array("d".utf8)])
      #expect(try await body.read() == nil)
    }
  }

  @Test("it can be read on the connection's loop too, then without a hop to another thread")
  func onLoop() async throws {
    try await withLoop { loop async throws in
      let pipe = BodyPipe(on: loop, announcedLength: 2)
      let body = HTTPBodyReader(pipe)
      await loop.value {
        deliver("a", to: pipe)
        pipe.onDemand = {
          deliver("b", to: pipe)
          pipe.finish()
        }
      }
      let bytes = try await Task(executorPreference: loop) {
        #expect(loop.isOnLoop)
        let bytes = try await body.collect(upTo: 2)
        #expect(loop.isOnLoop)
        return bytes
      }.value
      #expect(bytes == Array("ab".utf8))
    }
  }

  @Test("a slow reader makes the pipe full, and asks for more once it has taken enough")
  func backpressure() async throws {
    try await withLoop { loop async throws in
      let pipe = BodyPipe(on: loop, announcedLength: nil)
      let demands = LockedValueBox(0)
      await loop.value {
        let half = String(repeating: "x", count: BodyPipe.highWater / 2)
        #expect(!pipe.isFull)
        deliver(half, to: pipe)
        #expect(!pipe.isFull)
        deliver(half + "y", to: pipe)
        deliver("z", to: pipe)
        #expect(pipe.isFull && pipe.bufferedBytes == BodyPipe.highWater + 2)
      }
      await loop.value { pipe.onDemand = { demands.value.withLock { $0 += 1 } } }
      let body = HTTPBodyReader(pipe)
      _ = try await body.read()
      // Below the mark: half is left.
      #expect(demands.value.withLock { $0 } == 1)
      await loop.value {
        #expect(!pipe.isFull)
        pipe.onDemand = nil
      }
    }
  }

  @Test("a body that is announced as too large is refused unread, one that becomes too large as soon as it is")
  func tooLarge() async throws {
    try await withLoop { loop async throws in
      let announced = HTTPBodyReader(BodyPipe(on: loop, announcedLength: 11))
      await #expect(throws: HTTPError.tooLarge(limit: 10)) { try await announced.collect(upTo: 10) }
      let pipe = BodyPipe(on: loop, announcedLength: nil)
      await loop.value { pipe.onDemand = { deliver("123456", to: pipe) } }
      await #expect(throws: HTTPError.tooLarge(limit: 10)) { try await HTTPBodyReader(pipe).collect(upTo: 10) }
      await loop.value { pipe.onDemand = nil }
    }
  }

  @Test("a body that breaks off fails, even if pieces of it are unread")
  func failure() async throws {
    try await withLoop { loop async throws in
      let pipe = BodyPipe(on: loop, announcedLength: nil)
      await loop.value {
        deliver("a", to: pipe)
        pipe.fail(.connectionClosed)
        deliver("b", to: pipe)
        pipe.finish()
        #expect(pipe.isComplete && pipe.bufferedBytes == 0)
      }
      for _ in 0..<2 { await #expect(throws: HTTPError.connectionClosed) { try await HTTPBodyReader(pipe).read() } }
      let waiting = BodyPipe(on: loop, announcedLength: nil)
      await loop.value { waiting.onDemand = { waiting.fail(.timedOut) } }
      await #expect(throws: HTTPError.timedOut) { try await HTTPBodyReader(waiting).read() }
    }
  }

  @Test("what was delivered before the end is read after it, even if the connection fails then")
  func failureAfterEnd() async throws {
    try await withLoop { loop async throws in
      let pipe = BodyPipe(on: loop, announcedLength: nil)
      await loop.value {
        deliver("a", to: pipe)
        pipe.finish()
        pipe.fail(.connectionClosed)
      }
      #expect(try await HTTPBodyReader(pipe).collect(upTo: 10) == Array("a".utf8))
    }
  }

  @Test("a reader whose task is cancelled stops waiting, on the loop and off it")
  func cancellation() async throws {
    try await withLoop { loop async throws in
      for isOnLoop in [true, false] {
        let pipe = BodyPipe(on: loop, announcedLength: nil)
        let body = HTTPBodyReader(pipe)
        let waits = Signal()
        await loop.value { pipe.onDemand = { waits.happen() } }
        let reading: @Sendable () async -> Result<[UInt8]?, HTTPError> = {
          do throws(HTTPError) { return .success(try await body.read()) } catch { return .failure(error) }
        }
        let task = Task(executorPreference: isOnLoop ? loop : nil) { await reading() }
        await waits.wait()
        task.cancel()
        #expect(await task.value == .failure(.connectionClosed))
        // The connection sees that nobody will read the rest.
        #expect(await loop.value { pipe.isComplete })
      }
    }
  }

  @Test("a task that was cancelled before it reads gets no piece it would have to wait for")
  func cancelledBefore() async throws {
    try await withLoop { loop async throws in
      let body = HTTPBodyReader(BodyPipe(on: loop, announcedLength: nil))
      let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        await #expect(throws: HTTPError.connectionClosed) { try await body.read() }
      }
      await task.value
    }
  }
}

/// A connection that takes so many bytes and then makes its writer wait.
private final class SlowSink: BodySink, @unchecked Sendable {
  private(set) var written: [UInt8] = []
  var capacity: Int
  private var waiter: (@Sendable (Bool) -> Void)?
  private(set) var isClosed = false
  let waits = Signal()

  init(capacity: Int) { self.capacity = capacity }

  func write(_ bytes: [UInt8]) -> Bool {
    if isClosed { return false }
    written += bytes
    return written.count < capacity
  }

  func whenWritable(_ body: @escaping @Sendable (Bool) -> Void) {
    if isClosed || written.count < capacity { return body(!isClosed) }
    waiter = body
    waits.happen()
  }

  func writerCancelled() { close() }

  func makeRoom() {
    capacity += 10
    waiter?(true)
    waiter = nil
  }

  func close() {
    isClosed = true
    waiter?(false)
    waiter = nil
  }
}

@Suite("A body that is written piece by piece")
struct BodyWriterTests {
  @Test("pieces are written in order, on the loop and off it")
  func order() async throws {
    try await withLoop { loop async throws in
      for isOnLoop in [true, false] {
        let sink = SlowSink(capacity: 1000)
        let writer = HTTPBodyWriter(loop: loop, sink: sink)
        let writing: @Sendable () async throws -> Void = {
          try await writer.write("a")
          try await writer.write([0x62, 0x63])
          try await writer.write([])
        }
        let task = Task(executorPreference: isOnLoop ? loop : nil) { try await writing() }
        try await task.value
        #expect(await loop.value { sink.written } == Array("abc".utf8))
      }
    }
  }

  @Test("a slow connection slows the writer down, and nothing is written twice")
  func backpressure() async throws {
    try await withLoop { loop async throws in
      for isOnLoop in [true, false] {
        let sink = SlowSink(capacity: 3)
        let writer = HTTPBodyWriter(loop: loop, sink: sink)
        let progress = LockedValueBox(0)
        let writing: @Sendable () async throws -> Void = {
          for piece in ["ab", "cd", "ef"] {
            try await writer.write(piece)
            progress.value.withLock { $0 += 1 }
          }
        }
        let task = Task(executorPreference: isOnLoop ? loop : nil) { try await writing() }
        await sink.waits.wait()
        #expect(await loop.value { sink.written } == Array("abcd".utf8))
        #expect(progress.value.withLock { $0 } == 1)
        await loop.value { sink.makeRoom() }
        try await task.value
        #expect(await loop.value { sink.written } == Array("abcdef".utf8))
      }
    }
  }

  @Test("a writer learns that nobody listens any more, whether it waits or not")
  func closed() async throws {
    try await withLoop { loop async throws in
      let sink = SlowSink(capacity: 1)
      let writer = HTTPBodyWriter(loop: loop, sink: sink)
      let task = Task { try await writer.write("ab") }
      await sink.waits.wait()
      await loop.value { sink.close() }
      await #expect(throws: CancellationError.self) { try await task.value }
      await #expect(throws: CancellationError.self) { try await writer.write("c") }
      #expect(await loop.value { sink.written } == Array("ab".utf8))
    }
  }

  @Test("a writer whose task is cancelled stops, while it waits and when it never has to")
  func cancellation() async throws {
    try await withLoop { loop async throws in
      for isOnLoop in [true, false] {
        let sink = SlowSink(capacity: 1)
        let writer = HTTPBodyWriter(loop: loop, sink: sink)
        let writing: @Sendable () async throws -> Void = { try await writer.write("ab") }
        let task = Task(executorPreference: isOnLoop ? loop : nil) { try await writing() }
        await sink.waits.wait()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
      }
      let fast = HTTPBodyWriter(loop: loop, sink: SlowSink(capacity: .max))
      let endless = Task(executorPreference: loop) {
        while true { try await fast.write("x") }
      }
      endless.cancel()
      await #expect(throws: CancellationError.self) { try await endless.value }
    }
  }
}

/// A lock that closures can share.
private final class LockedValueBox<Value: Sendable>: Sendable {
  let value: LockedValue<Value>

  init(_ initial: Value) { value = LockedValue(initial) }
}
