import Addresses
import Glibc
import Testing

@testable import EventLoops

/// Remembers what a socket tells; can send back what arrives.
final class Listener: UDPSocketHandler, Sendable {
  struct Event: Hashable {
    var bytes: [UInt8]
    var sender: Endpoint
    var isTruncated = false
  }

  let echoes: Bool
  let arrived = Counter()
  let undelivered = Counter()
  let closed = Counter()
  let events = LockedValue<[Event]>([])
  let failures = LockedValue<[(destination: Endpoint, code: Int32)]>([])

  init(echoes: Bool = false) { self.echoes = echoes }

  func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {
    var batch: [Event] = []
    datagrams.forEach { bytes, sender, isTruncated in
      batch.append(Event(bytes: bytes.withUnsafeBytes { [UInt8]($0) }, sender: sender, isTruncated: isTruncated))
    }
    if echoes {
      let memory = batch.flatMap(\.bytes)
      memory.withUnsafeBytes { memory in
        var offset = 0
        socket.send(batch.count) { index in
          defer { offset += batch[index].bytes.count }
          return OutgoingDatagram(
            bytes: UnsafeRawBufferPointer(rebasing: memory[offset..<offset + batch[index].bytes.count]),
            destination: batch[index].sender)
        }
      }
    }
    events.withLock { $0 += batch }
    arrived.add(batch.count)
  }

  func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {
    failures.withLock { $0.append((destination, code)) }
    undelivered.add()
  }

  func socketClosed(_ socket: UDPSocket) { closed.add() }
}

extension UDPSocket {
  static func open(
    on loop: EventLoop, _ listener: Listener, _ address: IPAddress = .loopbackV4, options: Options = Options()
  ) async throws -> UDPSocket {
    let socket = try UDPSocket(boundTo: Endpoint(address, port: 0), options: options)
    try await loop.value { try socket.open(on: loop, handler: listener) }
    return socket
  }

  func send(_ bytes: [UInt8], to destination: Endpoint) async throws {
    try await loop?.value { bytes.withUnsafeBytes { self.send($0, to: destination) } }
  }
}

@Suite("UDP sockets")
struct UDPSocketTests {
  @Test("hundreds of datagrams come back as they went", arguments: [IPAddress.loopbackV4, .loopbackV6])
  func echo(address: IPAddress) async throws {
    try await withLoop { loop in
      let server = try await UDPSocket.open(on: loop, Listener(echoes: true), address)
      let listener = Listener()
      let client = try await UDPSocket.open(on: loop, listener, address)
      let destination = server.localEndpoint
      #expect(destination.address == address && destination.port != 0)
      let payloads = (0..<640).map { number in
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number * 3) + [UInt8(number >> 8)]
      }
      // In windows, because a receive buffer holds a few hundred at most.
      for start in stride(from: 0, to: payloads.count, by: 80) {
        let window = Array(payloads[start..<start + 80])
        try await loop.value {
          let memory = window.flatMap { $0 }
          memory.withUnsafeBytes { memory in
            var offset = 0
            client.send(window.count) { index in
              defer { offset += window[index].count }
              let bytes = memory[offset..<offset + window[index].count]
              return OutgoingDatagram(bytes: UnsafeRawBufferPointer(rebasing: bytes), destination: destination)
            }
          }
        }
        await listener.arrived.reaches(start + 80)
      }
      #expect(Set(listener.events.withLock { $0 }) == Set(payloads.map { .init(bytes: $0, sender: destination) }))
      #expect(listener.arrived.value == 640)
      let statistics = try await loop.value { client.statistics }
      #expect(statistics.sent == 640 && statistics.received == 640 && statistics.refused == 0)
    }
  }

  @Test(
    "a datagram to a port where nobody listens is reported, and the socket goes on",
    arguments: [IPAddress.loopbackV4, .loopbackV6])
  func refusedPort(address: IPAddress) async throws {
    try await withLoop { loop in
      let vacant = try UDPSocket(boundTo: Endpoint(address, port: 0)).localEndpoint
      let listener = Listener()
      let socket = try await UDPSocket.open(on: loop, listener, address)
      for _ in 0..<20 { try await socket.send([1], to: vacant) }
      await listener.undelivered.reaches(20)
      #expect(listener.failures.withLock { $0.allSatisfy { $0.destination == vacant && $0.code == ECONNREFUSED } })
      try await socket.send([2], to: socket.localEndpoint)
      await listener.arrived.reaches(1)
      #expect(listener.events.withLock { $0.map(\.bytes) } == [[2]])
    }
  }

  @Test("without reports a refused port is silent, and the socket goes on")
  func refusedPortSilently() async throws {
    try await withLoop { loop in
      let vacant = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0)).localEndpoint
      let listener = Listener()
      var options = UDPSocket.Options()
      options.reportsUnreachable = false
      let socket = try await UDPSocket.open(on: loop, listener, options: options)
      for _ in 0..<20 { try await socket.send([1], to: vacant) }
      try await socket.send([2], to: socket.localEndpoint)
      await listener.arrived.reaches(1)
      #expect(listener.undelivered.value == 0)
    }
  }

  @Test("what is longer than 2,048 bytes arrives marked as truncated; 2,048 bytes are whole")
  func oversizeReceived() async throws {
    try await withLoop { loop in
      let listener = Listener()
      let socket = try await UDPSocket.open(on: loop, listener)
      for size in [2048, 2049, 9000, 0] {
        try await socket.send([UInt8](repeating: 7, count: size), to: socket.localEndpoint)
      }
      await listener.arrived.reaches(4)
      let events = listener.events.withLock { $0 }
      #expect(events.map(\.isTruncated) == [false, true, true, false])
      #expect(events.map(\.bytes.count) == [2048, 2048, 2048, 0])
    }
  }

  @Test("a datagram that cannot be sent is reported, and its neighbours arrive")
  func oversizeSent() async throws {
    try await withLoop { loop in
      let listener = Listener()
      let socket = try await UDPSocket.open(on: loop, listener)
      let here = socket.localEndpoint
      let elsewhere = Endpoint(.loopbackV4, port: 9)
      try await loop.value {
        let huge = [UInt8](repeating: 1, count: 70_000)
        huge.withUnsafeBytes { huge in
          socket.send(5) { index in
            let length = index == 1 || index == 3 ? huge.count : index + 1
            return OutgoingDatagram(
              bytes: UnsafeRawBufferPointer(rebasing: huge[..<length]), destination: length > 9 ? elsewhere : here)
          }
        }
      }
      await listener.arrived.reaches(3)
      await listener.undelivered.reaches(2)
      #expect(listener.events.withLock { $0.map(\.bytes.count) } == [1, 3, 5])
      #expect(listener.failures.withLock { $0.allSatisfy { $0.destination == elsewhere && $0.code == EMSGSIZE } })
      #expect(try await loop.value { socket.statistics.refused } == 2)
    }
  }

  @Test("what the kernel does not take at once is sent later, in order and before what comes after it")
  func backlog() async throws {
    try await withLoop { loop in
      let listener = Listener()
      let socket = try await UDPSocket.open(on: loop, listener)
      let here = socket.localEndpoint
      try await loop.value {
        for number in 0..<100 {
          _ = socket.backlog.append(.init(bytes: [UInt8(number)], destination: here, isExpendable: false))
        }
        socket.setWaitsToWrite(true)
        [UInt8(100)].withUnsafeBytes { socket.send($0, to: here) }
      }
      await listener.arrived.reaches(101)
      #expect(listener.events.withLock { $0.map(\.bytes) } == (0...100).map { [UInt8($0)] })
      #expect(try await loop.value { socket.backlog.isEmpty })
    }
  }

  @Test("of too many datagrams that wait, the oldest expendable one is dropped first")
  func backlogIsBounded() {
    var backlog = BacklogQueue()
    for number in 0..<BacklogQueue.capacity {
      let isDropped = backlog.append(
        .init(bytes: [], destination: Endpoint(.loopbackV4, port: UInt16(number)), isExpendable: number == 500))
      #expect(!isDropped)
    }
    for number in 1000...1001 {
      let isDropped = backlog.append(
        .init(bytes: [], destination: Endpoint(.loopbackV4, port: UInt16(number)), isExpendable: false))
      #expect(isDropped)
    }
    let ports = (0..<backlog.count).map { Int(backlog[$0].destination.port) }
    #expect(ports == (1...1001).filter { $0 != 500 })
    backlog.removeFirst(999)
    #expect(backlog.count == 1 && backlog[0].destination.port == 1001)
  }

  @Test("a port that is taken is an error that says so")
  func portTaken() throws {
    let first = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0))
    let error = #expect(throws: SystemError.self) { try UDPSocket(boundTo: first.localEndpoint) }
    #expect(error?.isAddressInUse == true)
    #expect(error?.description == "bind UDP \(first.localEndpoint): Address already in use")
    withExtendedLifetime(first) {}
  }

  @Test("sockets that agree to it share a port")
  func sharedPort() throws {
    var options = UDPSocket.Options()
    options.reusesPort = true
    let first = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0), options: options)
    let second = try UDPSocket(boundTo: first.localEndpoint, options: options)
    #expect(first.localEndpoint == second.localEndpoint)
  }

  @Test("an IPv6 socket leaves the same port of IPv4 free")
  func v6Only() throws {
    let v6 = try UDPSocket(boundTo: Endpoint(.anyV6, port: 0))
    let v4 = try? UDPSocket(boundTo: Endpoint(.anyV4, port: v6.localEndpoint.port))
    // Another program may have the port; then the error is "in use" for IPv4 alone, which a second try tells apart.
    if let v4 { #expect(v4.localEndpoint.port == v6.localEndpoint.port) }
    #expect(v6.localEndpoint.address == .anyV6)
  }

  @Test("large kernel buffers are asked for")
  func bufferSizes() throws {
    var options = UDPSocket.Options()
    options.bufferSize = 0
    let plain = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0), options: options)
    let wide = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0))
    #expect(wide.bufferSizes.receiving >= plain.bufferSizes.receiving)
    #expect(wide.bufferSizes.receiving > 100_000)
  }

  @Test("stopping a loop under load closes its sockets and tells their handlers")
  func stopWhileBusy() async throws {
    let loop = try EventLoop()
    try loop.start()
    let listeners = [Listener(echoes: true), Listener(echoes: true)]
    let first = try await UDPSocket.open(on: loop, listeners[0])
    let second = try await UDPSocket.open(on: loop, listeners[1])
    // The two send each datagram back and forth without end.
    for _ in 0..<50 { try await first.send([1, 2, 3], to: second.localEndpoint) }
    await listeners[0].arrived.reaches(1000)
    loop.stop()
    #expect(listeners.map(\.closed.value) == [1, 1])
    #expect(first.descriptor == -1 && second.descriptor == -1)
    // Both ports are free again.
    _ = try UDPSocket(boundTo: first.localEndpoint)
    _ = try UDPSocket(boundTo: second.localEndpoint)
  }

  @Test("a handler may close its socket while a batch is delivered")
  func closesItself() async throws {
    final class Closer: UDPSocketHandler, Sendable {
      let arrived = Counter()
      func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {
        socket.close()
        datagrams.forEach { _, _, _ in arrived.add() }
      }
      func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {}
      func socketClosed(_ socket: UDPSocket) {}
    }
    try await withLoop { loop in
      let closer = Closer()
      let socket = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0))
      let sender = try await UDPSocket.open(on: loop, Listener())
      try await loop.value {
        try socket.open(on: loop, handler: closer)
        [1].withUnsafeBytes { sender.send($0, to: socket.localEndpoint) }
      }
      await closer.arrived.reaches(1)
      #expect(try await loop.value { socket.descriptor } == -1)
    }
  }
}
