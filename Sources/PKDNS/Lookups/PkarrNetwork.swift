import DNSResolution
import EventLoops
import Pkarr
import PkarrClient

/// The DHT and relays, asked at the same time.
final class PkarrNetwork: KeyNetwork {
  private let dht: DHTClient?
  private let relays: [RelayClient]
  private let relayCounts = LockedValue((answers: UInt64(0), failures: UInt64(0)))

  /// On the loop of the DHT's node nothing of a search goes from thread to thread but its packets. Relays alone have no loop.
  var executor: any TaskExecutor { dht?.node.eventLoop ?? globalConcurrentExecutor }

  /// How long a search waits for the first node of the DHT, right after the start.
  private static let patience = Duration.seconds(3)

  /// A client's networks. Its cache is not used: the resolver has one.
  init(_ client: PkarrClient) {
    dht = client.dht
    relays = client.relays
  }

  func search(
    _ key: PublicKey, onPacket: @escaping @Sendable (SignedPacket, DNSResolution.PacketSource) -> Void
  ) async -> KeyLookupResult? {
    let search = KeySearch(onPacket)
    await withTaskGroup(of: Void.self) { group in
      if let dht { group.addTask { await Self.ask(dht, key, search) } }
      for relay in relays { group.addTask { await self.ask(relay, key, search) } }
    }
    return search.failure(relaysAsked: relays.count)
  }

  private static func ask(_ dht: DHTClient, _ key: PublicKey, _ search: KeySearch) async {
    var completion = await follow(dht.resolve(key), search)
    if case .failure(.noDHTNodesQueried) = completion.result {
      _ = await dht.node.hasGoodNodes(1, within: patience)
      completion = await follow(dht.resolve(key), search)
    }
    if case .failure(.noDHTNodesQueried) = completion.result {
      return search.notReady(tableSize: await dht.info()?.goodNodes ?? 0)
    }
    search.ended(completion)
  }

  private static func follow(_ resolution: DHTResolution, _ search: KeySearch) async -> DHTCompletion {
    for await packet in resolution.packets { search.found(packet, .dht) }
    return await resolution.completion()
  }

  private func ask(_ relay: RelayClient, _ key: PublicKey, _ search: KeySearch) async {
    do throws(RelayError) {
      search.found(try await relay.resolve(key), .relay(relay.url.description))
      relayCounts.withLock { $0.answers += 1 }
    } catch {
      search.relayEnded(error)
      let isAnswer = error == .notFound
      relayCounts.withLock { if isAnswer { $0.answers += 1 } else { $0.failures += 1 } }
    }
  }

  func status() async -> KeyNetworkStatus {
    var status = KeyNetworkStatus()
    status.relays = relays.map(\.url.description)
    (status.relayAnswers, status.relayFailures) = relayCounts.withLock { $0 }
    guard let dht else { return status }
    status.usesDHT = true
    guard let info = await dht.info() else { return status }
    status.goodNodes = info.goodNodes
    status.networkSize = info.networkSize
    status.responseRate = info.responseRate
    status.requestsSent = info.node.statistics.requestsSent
    status.timeouts = info.node.statistics.timeouts
    return status
  }
}

/// What one search has brought so far, from all who are asked.
private final class KeySearch: Sendable {
  private struct State {
    var best: SignedPacket?
    var dht: DHTCompletion?
    var tableSize: Int?
    var relayErrors: [RelayError] = []
  }

  private let state = LockedValue(State())
  private let onPacket: @Sendable (SignedPacket, DNSResolution.PacketSource) -> Void

  init(_ onPacket: @escaping @Sendable (SignedPacket, DNSResolution.PacketSource) -> Void) { self.onPacket = onPacket }

  func found(_ packet: SignedPacket, _ source: DNSResolution.PacketSource) {
    let isNews = state.withLock { state in
      guard state.best.map({ packet.isMoreRecent(than: $0) }) ?? true else { return false }
      state.best = packet
      return true
    }
    if isNews { onPacket(packet, source) }
  }

  func ended(_ completion: DHTCompletion) { state.withLock { $0.dht = completion } }

  func notReady(tableSize: Int) { state.withLock { $0.tableSize = tableSize } }

  func relayEnded(_ error: RelayError) { state.withLock { $0.relayErrors.append(error) } }

  /// Why there is no packet; nil if there is one.
  func failure(relaysAsked: Int) -> KeyLookupResult? {
    let state = state.withLock { $0 }
    if state.best != nil { return nil }
    let nodesAsked = state.dht?.report.queried ?? 0
    let isInvalid = state.relayErrors.contains { error in
      switch error {
      case .invalidSignedPacketSeq, .invalidSignedPacket: true
      default: false
      }
    }
    if case .failure(.invalidSignedPacket(let seq))? = state.dht?.result {
      return .failure(.invalid("version \(seq) is no signed packet"))
    }
    if isInvalid { return .failure(.invalid("a relay has no signed packet")) }
    // One complete search is enough: relays look in the same DHT.
    if case .failure(.notFound)? = state.dht?.result {
      return .notFound(nodesAsked: nodesAsked, relaysAsked: relaysAsked)
    }
    if state.relayErrors.contains(.notFound) { return .notFound(nodesAsked: nodesAsked, relaysAsked: relaysAsked) }
    if let tableSize = state.tableSize { return .failure(.notReady(routingTableSize: tableSize)) }
    if nodesAsked == 0, let reason = state.relayErrors.lazy.compactMap(\.connectionFailure).first {
      return .failure(.network(reason))
    }
    return .failure(.unreachable(nodesAsked: nodesAsked, relaysAsked: relaysAsked))
  }
}

extension RelayError {
  /// Why there was no connection, in a few words.
  fileprivate var connectionFailure: String? {
    if case .request(let reason) = self { String(reason.prefix(80)) } else { nil }
  }
}
