import Addresses
import EventLoops
import Foundation
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient

/// A DHT on real sockets in which part of the nodes lie, over lines that delay and lose datagrams. Publishes records,
/// updates each, and resolves it, each time by a node that has just joined; tells what came of it:
///
///     HostileNetwork NETWORK RECORDS HONEST LIARS
///
/// NETWORK is `public` where all of 60.0.0.0/6 is this machine, as a network namespace can be told; then all rules about
/// addresses hold. It is `isolated` elsewhere; then everybody is in 127.0.0.0/8.
@main
struct HostileNetwork {
  private let isPublic: Bool
  private let records: Int
  private let honestCount: Int
  private let loops: [EventLoop]
  private let filter: PacketFilter
  private var entrances: [HostName] = []
  /// A node ends when nobody holds it.
  private var honest: [MainlineNode] = []

  /// Records that are worked on at the same time.
  private static let concurrency = 8
  /// Attempts to publish, as by a person who tries again.
  private static let attempts = 3
  private static let port: UInt16 = 6881

  static func main() async throws {
    let words = CommandLine.arguments
    guard words.count == 5, let records = Int(words[2]), let honest = Int(words[3]), let liars = Int(words[4]),
      ["public", "isolated"].contains(words[1])
    else {
      print("usage: HostileNetwork public|isolated RECORDS HONEST LIARS")
      exit(2)
    }
    var network = try HostileNetwork(isPublic: words[1] == "public", records: records, honest: honest)
    let lying = try await network.grow(liars: liars)
    let outcome = await network.work()
    print("\(outcome) lies \(lying.answerCount)")
    // All threads are still at work, so there is nothing to be cleaned up, or looked through for leaks.
    fflush(nil)
    _exit(0)
  }

  private init(isPublic: Bool, records: Int, honest: Int) throws {
    self.isPublic = isPublic
    self.records = records
    honestCount = honest
    loops = try (0..<2).map { index in
      let loop = try EventLoop(name: "nodes-\(index)")
      try loop.start()
      return loop
    }
    filter = BadLine.filter(seed: 7)
  }

  /// Everybody has a block of addresses of his own.
  private func address(_ number: Int) -> IPAddress {
    let first: UInt8 = isPublic ? 60 + UInt8(number / 256 % 4) : 127
    return IPAddress(first, UInt8(number % 256), UInt8(1 + number / 1024 % 90), UInt8(1 + number / 256 % 4))
  }

  private func configuration(_ number: Int, mode: NodeConfiguration.Mode) -> MainlineConfiguration {
    var configuration = MainlineConfiguration()
    let address = address(number)
    configuration.bindAddresses = [address]
    configuration.port = Self.port
    configuration.bootstrap = entrances
    configuration.packetFilter = filter
    configuration.eventLoop = loops[mode == .server ? 0 : 1]
    configuration.node.mode = mode
    configuration.node.network = isPublic ? .public : .isolated
    configuration.node.publicEndpoints = [Endpoint(address, port: Self.port)]
    return configuration
  }

  // MARK: - The network

  /// Starts all nodes. They know each other from the start, as after some hours.
  private mutating func grow(liars count: Int) async throws -> LyingNodes {
    var nodes: [MainlineNode] = []
    var contacts: [NodeContact] = []
    for number in 0..<honestCount {
      let node = try await MainlineNode(configuration(number, mode: .server))
      nodes.append(node)
      guard let id = await node.info()?.families.first?.id else { continue }
      contacts.append(NodeContact(id: id, endpoint: Endpoint(address(number), port: Self.port)))
    }
    let endpoints = (0..<count).map { Endpoint(address(honestCount + $0), port: Self.port) }
    let liars = try LyingNodes(at: endpoints, BadLine(seed: 8))
    liars.start(naming: contacts)
    for node in nodes { await node.seed((contacts + liars.contacts).shuffled()) }
    // One of those who lie is an entrance, too.
    entrances = (contacts.prefix(3) + liars.contacts.prefix(1)).map { HostName($0.endpoint) }
    honest = nodes
    return liars
  }

  // MARK: - The work

  private enum Fate: String, CaseIterable { case newest, older, missing, unpublished }

  private func work() async -> String {
    var fates: [Fate: Int] = [:]
    var retries = 0
    await withTaskGroup(of: (Fate, Int).self) { group in
      var next = 0
      func begin() {
        guard next < records else { return }
        let number = next
        next += 1
        group.addTask { await record(number) }
      }
      for _ in 0..<Self.concurrency { begin() }
      while let (fate, again) = await group.next() {
        fates[fate, default: 0] += 1
        retries += again
        begin()
      }
    }
    let words = Fate.allCases.map { "\($0.rawValue) \(fates[$0] ?? 0)" }
    return "records \(records) \(words.joined(separator: " ")) retries \(retries)"
  }

  /// Publishes two versions of a record and looks it up; what became of it, and how often a publication was tried again.
  private func record(_ number: Int) async -> (Fate, Int) {
    let keypair = Keypair()
    var retries = 0
    var newest: SignedPacket?
    for version in 1...2 {
      guard let packet = try? Self.packet(keypair, version) else { return (.unpublished, retries) }
      newest = packet
      var isPublished = false
      for attempt in 0..<Self.attempts where !isPublished {
        if attempt > 0 { retries += 1 }
        isPublished = await publish(packet, from: 3 * number + version)
      }
      if !isPublished { return (.unpublished, retries) }
    }
    guard let newest else { return (.unpublished, retries) }
    let found = await resolve(keypair.publicKey, from: 3 * number)
    return (found.map { $0.isSame(as: newest) ? .newest : .older } ?? .missing, retries)
  }

  private static func packet(_ keypair: Keypair, _ version: Int) throws -> SignedPacket {
    try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: UInt64(version) * 1_000_000_000_000)) {
      TXT("_hello", "version \(version)")
    }
  }

  /// A node that has just joined, at an address of its own.
  private func withClient<Result>(_ number: Int, _ body: (DHTClient) async -> Result?) async -> Result? {
    let number = honestCount + 100 + number
    do {
      let node = try await MainlineNode(configuration(number, mode: .client))
      guard await node.bootstrapped() else { return nil }
      let result = await body(DHTClient(sharing: node))
      try await node.shutdown()
      return result
    } catch {
      FileHandle.standardError.write(Data("\(address(number)): \(error)\n".utf8))
      return nil
    }
  }

  private func publish(_ packet: SignedPacket, from number: Int) async -> Bool {
    await withClient(number) { client -> Bool? in
      do throws(PublishError) {
        try await client.publish(packet)
        return true
      } catch {
        FileHandle.standardError.write(Data("publish: \(error)\n".utf8))
        return nil
      }
    } ?? false
  }

  private func resolve(_ key: PublicKey, from number: Int) async -> SignedPacket? {
    await withClient(number) { client -> SignedPacket? in
      switch await client.resolve(key).completion().result {
      case .success(let packet): return packet
      case .failure(let error):
        FileHandle.standardError.write(Data("resolve: \(error)\n".utf8))
        return nil
      }
    }
  }
}
