import CLinux
import Glibc
import Testing

@testable import EventLoops

/// A descriptor that can be made ready at will. Loop only.
final class TestDescriptor: DescriptorHandler, @unchecked Sendable {
  private let descriptor = eventfd(0, Int32(EFD_NONBLOCK))
  private let loop: EventLoop
  private let body: (TestDescriptor) -> Void
  private(set) var watched: Watch?
  private(set) var isStopped = false

  init(_ loop: EventLoop, _ body: @escaping (TestDescriptor) -> Void) {
    self.loop = loop
    self.body = body
  }

  deinit { close(descriptor) }

  func watch() throws { watched = try loop.watch(descriptor, for: .reading, handler: self) }
  func unwatch() { watched.map(loop.unwatch) }
  func signal() { eventfd_write(descriptor, 1) }

  func descriptorReady(_ readiness: Readiness) {
    var value: UInt64 = 0
    eventfd_read(descriptor, &value)
    body(self)
  }

  func eventLoopStopped() { isStopped = true }
}

@Suite("Watched descriptors")
struct DescriptorTests {
  @Test("of two descriptors that are ready at once, the first to be served can silence the second")
  func staleEvents() async throws {
    try await withLoop { loop in
      let calls = Counter()
      let replacements = Counter()
      try await loop.value {
        let pair = LockedValue<[TestDescriptor]>([])
        let body: (TestDescriptor) -> Void = { me in
          calls.add()
          // Taken out, so that nobody holds himself in the end.
          let both = pair.withLock { pair in
            defer { pair = [] }
            return pair
          }
          for other in both where other !== me {
            other.unwatch()
            // Takes the other's slot: its event, still in the batch, must not reach the newcomer.
            let newcomer = TestDescriptor(loop) { _ in replacements.add() }
            try? newcomer.watch()
            #expect(newcomer.watched?.slot == other.watched?.slot)
          }
        }
        let both = [TestDescriptor(loop, body), TestDescriptor(loop, body)]
        for descriptor in both {
          try descriptor.watch()
          descriptor.signal()
        }
        pair.withLock { $0 = both }
      }
      await calls.reaches(1)
      try await loop.sleep(for: .milliseconds(2))
      #expect(calls.value == 1)
      #expect(replacements.value == 0)
    }
  }

  /// Unwatches another one when it goes.
  private final class LastWill: DescriptorHandler {
    private let descriptor = eventfd(0, Int32(EFD_NONBLOCK))
    private let loop: EventLoop
    private let other: TestDescriptor

    init(_ loop: EventLoop, _ other: TestDescriptor) {
      self.loop = loop
      self.other = other
    }

    deinit {
      other.unwatch()
      close(descriptor)
    }

    func watch() throws -> Watch { try loop.watch(descriptor, for: .reading, handler: self) }
    func descriptorReady(_ readiness: Readiness) {}
    func eventLoopStopped() {}
  }

  @Test("a handler that goes with its watch may unwatch others")
  func lastWill() async throws {
    try await withLoop { loop in
      try await loop.value {
        let other = TestDescriptor(loop) { _ in }
        try other.watch()
        loop.unwatch(try LastWill(loop, other).watch())
        #expect(loop.descriptors.descriptor(try #require(other.watched)) == nil)
      }
    }
  }

  @Test("a handler may remove itself, and removing twice does nothing")
  func removesItself() async throws {
    try await withLoop { loop in
      let calls = Counter()
      try await loop.value {
        let descriptor = TestDescriptor(loop) { me in
          calls.add()
          me.unwatch()
          me.unwatch()
          me.signal()
        }
        try descriptor.watch()
        descriptor.signal()
      }
      await calls.reaches(1)
      try await loop.sleep(for: .milliseconds(2))
      #expect(calls.value == 1)
    }
  }

  @Test("handlers are told when the loop stops, and a stopped loop takes no descriptor")
  func stop() async throws {
    let loop = try EventLoop()
    try loop.start()
    let descriptor = TestDescriptor(loop) { _ in }
    try await loop.value { try descriptor.watch() }
    loop.stop()
    #expect(descriptor.isStopped)
    await #expect(throws: SystemError.self) { try await loop.value { try descriptor.watch() } }
  }

  @Test("a descriptor that is not open cannot be watched")
  func notOpen() async throws {
    try await withLoop { loop in
      let descriptor = TestDescriptor(loop) { _ in }
      await #expect(throws: SystemError.self) {
        try await loop.value { _ = try loop.watch(1_000_000, for: .reading, handler: descriptor) }
      }
    }
  }
}
