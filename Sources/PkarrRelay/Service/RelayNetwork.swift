import Logging
import MainlineProtocol
import Pkarr
import PkarrClient
import PlainText

/// Where a relay publishes and looks up: the DHT.
protocol RelayNetwork: Sendable {
  /// Stores a packet; the number of nodes that took it.
  func publish(_ packet: SignedPacket) async throws(RelayFailure) -> Int

  /// Looks a key up to the end. Tells each packet that is better than all before it, and at the end the newest one, or why
  /// there is none. A task that is cancelled ends the lookup.
  func lookUp(
    _ key: PublicKey, newerThan bound: Int64?, onPacket: @escaping @Sendable (SignedPacket) -> Void
  ) async -> Result<SignedPacket, RelayFailure>

  /// How the node of the DHT is doing; nil after its end.
  func status() async -> RelayStatus.Node?
}

/// The Mainline DHT.
struct DHTNetwork: RelayNetwork {
  let client: DHTClient
  let log: ServiceLog

  func publish(_ packet: SignedPacket) async throws(RelayFailure) -> Int {
    do throws(PublishError) {
      // Its signature was checked when it came in.
      let stored = try await client.publish(packet, isVerified: true).stored
      warn("publication.warning", packet.publicKey, client.reportPolicy.warnings(storedOn: stored))
      return stored
    } catch {
      throw RelayFailure(error)
    }
  }

  func lookUp(
    _ key: PublicKey, newerThan bound: Int64?, onPacket: @escaping @Sendable (SignedPacket) -> Void
  ) async -> Result<SignedPacket, RelayFailure> {
    let resolution = client.resolve(key, newerThan: bound)
    for await packet in resolution.packets { onPacket(packet) }
    let completion = await resolution.completion()
    switch completion.result {
    case .failure(.cancelled): break
    default: warn("lookup.warning", key, completion.report.warnings(client.reportPolicy))
    }
    return completion.result.mapError { RelayFailure($0) }
  }

  func status() async -> RelayStatus.Node? {
    guard let info = await client.node.info() else { return nil }
    return RelayStatus.Node(info, port: client.node.localEndpoints.first?.port ?? 0)
  }

  private func warn(_ event: StaticString, _ key: PublicKey, _ warnings: [ReportWarning]) {
    if warnings.isEmpty { return }
    log.current.warning(
      event, ["key": .string(key.z32), "warnings": .array(warnings.map { .string("\($0)") })])
  }
}

extension RelayFailure {
  /// What a failed publication means to a client of the relay.
  init(_ error: PublishError) {
    self =
      switch error {
      case .noDHTNodesQueried: .noClosestNodes
      case .noResponses, .unexpectedResponses: .publicationTimedOut
      case .rejected(let code, let description): .rejected(code: code, description: description)
      case .notMostRecent: .notMostRecent
      case .notPublishable(.timestamp(let timestamp)): .notPublishable(NotPublishable(timestamp: timestamp))
      case .notPublishable(.signature): .invalidPacket(.invalidSignature)
      case .cancelled: .cancelled
      }
  }

  /// What a failed lookup means to a client of the relay.
  init(_ error: ResolveError) {
    self =
      switch error {
      case .noDHTNodesQueried: .noNodesQueried
      case .noResponses: .noNodesResponded
      case .noUsableResponses, .unexpectedResponses: .noUsableResponses
      case .notFound: .notFound
      case .invalidSignedPacket(let seq): .invalidSignedPacket(seq: seq)
      case .cancelled: .cancelled
      }
  }
}
