import Addresses
import DNSResolution
import DNSWire
import EventLoops
import HTTP
import Logging
import Mainline
import Pkarr
import PkarrClient
import Synchronization
import Testing

@testable import PKDNS

/// A server on loopback with a DHT of its own, and a client for it.
struct RunningPKDNS {
  let server: PKDNSServer
  let testnet: Testnet
  let loop: EventLoop
  let lines: LockedLines
  private let cutOff: Switch

  /// Settings for listening with TLS and HTTPS as well; the certificates are made in `folder`.
  static func encrypted(in folder: String) -> String {
    """
    [tls]
    listen = "127.0.0.1:0"
    development_directory = "\(folder)"
    [https]
    listen = "127.0.0.1:0"
    """
  }

  /// Runs `body` with a server that forwards to `upstreams`, and ends everything.
  static func run<Result: Sendable>(
    forwardingTo upstreams: [UpstreamServer], settings: String = "", nodes: Int = 5,
    packetFilter: PacketFilter? = nil, change: (inout PKDNSConfiguration) -> Void = { _ in },
    _ body: (RunningPKDNS) async throws -> Result
  ) async throws -> Result {
    let cutOff = Switch()
    let testnet = try await Testnet(nodes: nodes) { source, destination, bytes in
      if cutOff.isOn.load(ordering: .relaxed) { return .dropped }
      return packetFilter?(source, destination, bytes) ?? .delivered
    }
    var configuration = try PKDNSConfiguration.parse(settings)
    configuration.general.sockets = [Endpoint(.loopbackV4, port: 0)]
    configuration.general.forward = upstreams
    configuration.dht.relays = []
    configuration.dht.isIsolated = true
    configuration.dht.bootstrap = testnet.bootstrap
    change(&configuration)
    let lines = LockedLines()
    var options = PKDNSServer.Options()
    options.makeLogger = { settings in
      Logger(level: settings.level, format: .text) { lines.add(String(decoding: $0, as: UTF8.self)) }
    }
    let server = PKDNSServer(configuration, options: options)
    try await server.start()
    let loop = try EventLoop(name: "dns-client")
    try loop.start()
    let running = RunningPKDNS(server: server, testnet: testnet, loop: loop, lines: lines, cutOff: cutOff)
    do {
      let result = try await body(running)
      await running.end()
      return result
    } catch {
      await running.end()
      throw error
    }
  }

  private func end() async {
    await server.shutdown()
    await loop.shutdown()
    await testnet.stop()
  }

  /// Where it listens for UDP and TCP.
  var endpoint: Endpoint { server.localEndpoints[0] }

  /// Asks over one transport, with all the checks of a client.
  func ask(
    _ name: String, _ type: RecordType = .a, over transport: UpstreamServer.Transport = .datagrams,
    at endpoint: Endpoint? = nil
  ) async throws -> Message {
    var configuration = UpstreamClient.Configuration()
    configuration.trust = .insecureAnyCertificate
    configuration.policy.deadline = .seconds(20)
    let client = UpstreamClient([UpstreamServer(endpoint ?? self.endpoint, transport)], configuration, on: loop)
    let result = await client.answer(to: UpstreamQuestion(try DomainName(name), type))
    await loop.submit { client.close() }
    guard case .answer(let bytes, _) = result else {
      Issue.record("\(name) over \(transport): \(result)")
      throw CancellationError()
    }
    return try Message(parsing: bytes, rules: .tolerant)
  }

  /// From now on nothing reaches the nodes of the DHT. They keep their ports: who got one of them next might answer.
  func cutOffNetwork() { cutOff.isOn.store(true, ordering: .relaxed) }

  /// Publishes records under a new key; the key.
  func publish(_ build: (SignedPacketBuilder) -> SignedPacketBuilder) async throws -> PublicKey {
    let keypair = Keypair()
    let packet = try build(SignedPacketBuilder()).sign(with: keypair)
    let client = DHTClient(sharing: testnet.nodes[0])
    try await client.publish(packet)
    return keypair.publicKey
  }
}

private final class Switch: Sendable {
  let isOn = Atomic<Bool>(false)
}

/// Lines of a log.
final class LockedLines: Sendable {
  private let lines = LockedValue<[String]>([])

  func add(_ line: String) { lines.withLock { $0.append(line) } }
  var all: [String] { lines.withLock { $0 } }
}

extension Message {
  /// The addresses in the answer section.
  var addresses: [String] {
    answers.compactMap { record in
      switch record.data {
      case .a(let data): data.ipAddress.description
      case .aaaa(let data): data.ipAddress.description
      default: nil
      }
    }
  }
}
