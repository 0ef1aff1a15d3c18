import Addresses
import DNSWire
import EventLoops

@testable import PKDNS

/// A name server in this process that answers as a test says, over UDP and TCP on one port.
final class ScriptedNameServer: Sendable {
  /// A query as it came in, and the messages to send back, in order.
  typealias Script = @Sendable (_ query: [UInt8], _ isStream: Bool) -> [[UInt8]]

  let loop: EventLoop
  let endpoint: Endpoint
  private let core: Core

  init(script: @escaping Script) async throws {
    loop = try EventLoop(name: "name-server")
    try loop.start()
    var pair: (DatagramServer, StreamListener)?
    for _ in 0..<20 where pair == nil {
      let datagrams = try DatagramServer(boundTo: Endpoint(.loopbackV4, port: 0))
      if let streams = try? StreamListener(boundTo: datagrams.localEndpoint) { pair = (datagrams, streams) }
    }
    guard let (datagrams, streams) = pair else { throw SystemError(code: 98, operation: "a port for UDP and TCP") }
    endpoint = datagrams.localEndpoint
    let core = Core(datagrams, streams, loop, script)
    self.core = core
    await loop.submit { core.open() }
  }

  deinit { loop.requestStop() }

  /// The queries so far.
  var queries: [(bytes: [UInt8], isStream: Bool)] { core.queries.withLock { $0 } }

  /// Where the queries over UDP came from.
  var clients: [Endpoint] { core.clientEndpoints.withLock { $0 } }

  /// Names of the queries so far, in lower case.
  var names: [String] { queries.compactMap { FirstQuestion($0.bytes.span.bytes)?.name.description.lowercased() } }

  func stop() async { await loop.shutdown() }

  /// An A record for whatever is asked.
  static func answer(_ query: [UInt8], _ address: UInt32 = 0xc000_0201, ttl: UInt32 = 300, code: UInt8 = 0) -> [UInt8] {
    guard let question = FirstQuestion(query.span.bytes) else { return [] }
    var answer = Array(query.prefix(question.end))
    answer[2] |= 0x84
    answer[3] = 0x80 | code
    answer[6] = 0
    answer[7] = code == 0 ? 1 : 0
    answer.replaceSubrange(8..<12, with: [0, 0, 0, 0])
    guard code == 0 else { return answer }
    answer += [0xc0, 12, 0, 1, 0, 1]
    answer += (0..<4).map { UInt8(truncatingIfNeeded: ttl >> UInt32(24 - 8 * $0)) } + [0, 4]
    return answer + (0..<4).map { UInt8(truncatingIfNeeded: address >> UInt32(24 - 8 * $0)) }
  }
}

private final class Core: DatagramResponder, @unchecked Sendable {
  let queries = LockedValue<[(bytes: [UInt8], isStream: Bool)]>([])
  let clientEndpoints = LockedValue<[Endpoint]>([])
  private let datagrams: DatagramServer
  private let streams: StreamListener
  private let loop: EventLoop
  private let script: ScriptedNameServer.Script
  private var clients: [Client] = []

  init(
    _ datagrams: DatagramServer, _ streams: StreamListener, _ loop: EventLoop,
    _ script: @escaping ScriptedNameServer.Script
  ) {
    self.datagrams = datagrams
    self.streams = streams
    self.loop = loop
    self.script = script
  }

  func open() {
    try? datagrams.open(on: loop, responder: self)
    try? streams.open(on: loop) { [unowned self] socket in
      let client = Client(socket, self)
      clients.append(client)
      _ = try? loop.watch(socket.descriptor, for: .reading, handler: client)
    }
  }

  func replies(_ query: [UInt8], isStream: Bool) -> [[UInt8]] {
    queries.withLock { $0.append((query, isStream)) }
    return script(query, isStream)
  }

  func respond(
    to query: RawSpan, isTruncated: Bool, along path: DatagramPath, into reply: UnsafeMutableRawBufferPointer
  ) -> Int {
    clientEndpoints.withLock { $0.append(path.client) }
    for message in replies(query.withUnsafeBytes { [UInt8]($0) }, isStream: false) {
      message.withUnsafeBytes { datagrams.send($0, along: path) }
    }
    return 0
  }

  func batchEnded() {}
  func datagramServerClosed(_ server: DatagramServer) {}

  private final class Client: DescriptorHandler {
    private let socket: StreamSocket
    private unowned let core: Core
    private var frames = StreamFrames()

    init(_ socket: StreamSocket, _ core: Core) {
      self.socket = socket
      self.core = core
    }

    func descriptorReady(_ readiness: Readiness) {
      var piece = [UInt8](repeating: 0, count: 65_536)
      guard let count = try? piece.withUnsafeMutableBytes({ try socket.read(into: $0) }), count > 0 else { return }
      piece[..<count].withUnsafeBytes { bytes in
        frames.receive(bytes) { query in
          var output: [UInt8] = []
          for message in core.replies(query.withUnsafeBytes { [UInt8]($0) }, isStream: true) {
            message.withUnsafeBytes { StreamFrames.append($0, to: &output) }
          }
          _ = try? output.withUnsafeBytes { try socket.write($0) }
          return true
        }
      }
    }

    func eventLoopStopped() {}
  }
}
