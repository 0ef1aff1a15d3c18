import CommandLineTool
import EventLoops
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PlainText

/// `pubky publish --every`: keeps a zone alive, follows changes of its file, and waits for a network that goes away.
struct RepeatedPublisher: Sendable {
  let keypair: Keypair
  let interval: Duration
  let bootstrap: [HostName]
  /// How relays are used; nil: the DHT alone.
  let relays: PkarrClientConfiguration?
  let console: Console
  let logger: Logger
  /// What stands for `{external_ipv4}` and `{external_ipv6}` in the zone; nil: nothing, they are errors there.
  var addresses: ExternalAddress?
  /// Whether a newer packet that somebody else publishes under the key is kept alive in the place of the own one, until the
  /// file changes. Otherwise it is an error.
  var keepsNewer = false
  /// Hears of each publication in the DHT, in the place of a line for people.
  var onPublication: (@Sendable (Publication) async throws -> Void)?

  /// One publication in the DHT.
  struct Publication: Sendable {
    var zone: ZoneInput.Zone
    var packet: SignedPacket
    var outcome: PutOutcome
    var took: Duration
    /// True unless the same packet was published before.
    var isChanged: Bool
  }

  /// The zone that is to be published, the packet that it was signed into, and what was said about its file.
  private struct State {
    var zone: ZoneInput.Zone
    var packet: SignedPacket?
    /// The packet that was published last.
    var last: SignedPacket?
    var complaint: CommandError?
    var node: MainlineNode?
    var client: PkarrClient?
    var failures = 0
  }

  /// Runs until its task is cancelled.
  ///
  /// - Throws: `CommandError` if somebody else publishes something newer under the key.
  func run(_ zone: ZoneInput.Zone) async throws {
    var state = State(zone: zone)
    while true {
      do {
        if let relays {
          try await publishThroughRelays(relays, &state)
        } else {
          try await publish(&state)
        }
        try await pause(interval, unlessChanged: state.zone.path)
      } catch let failure as QueryFailure {
        switch failure {
        case .notMostRecent, .conflictRisk:
          if keepsNewer {
            try await wait(Self.headline(failure), &state)
          } else {
            throw Network.explain(failure, bootstrap)
          }
        case .casFailed, .invalidItem: throw Network.explain(failure, bootstrap)
        case .cancelled: throw CancellationError()
        case .noNodes, .timeout, .rejected: try await wait(Self.headline(failure), &state)
        }
      } catch let error as CommandError where relays != nil && ["no_nodes", "rejected"].contains(error.code) {
        try await wait(error.message, &state)
      }
      try await readAgain(&state)
    }
  }

  private func publish(_ state: inout State) async throws {
    let start = ContinuousClock.now
    let node = try await Network.connected(state.node, bootstrap)
    state.node = node
    let packet: SignedPacket
    if let signed = state.packet {
      packet = signed
    } else {
      packet = try await PublishCommand.sign(state.zone, keypair, through: node, console)
    }
    let (published, outcome) = try await publish(packet, through: node)
    let isChanged = state.last.map { !$0.isSame(as: published) } ?? true
    state.packet = published
    state.last = published
    state.failures = 0
    logger.info(
      "packet.published",
      [
        "key": "\(published.publicKey.z32)", "timestamp": JSON(published.timestamp.microseconds),
        "stored": JSON(outcome.stored),
      ])
    PublishCommand.warn(outcome, bootstrap: bootstrap, console)
    let took = ContinuousClock.now - start
    if let onPublication {
      return try await onPublication(
        Publication(zone: state.zone, packet: published, outcome: outcome, took: took, isChanged: isChanged))
    }
    try PublishCommand.report(state.zone, published, outcome, took: took, next: interval, console)
  }

  /// Publishes a packet, or what is newer than it.
  private func publish(
    _ packet: SignedPacket, through node: MainlineNode
  ) async throws -> (SignedPacket, PutOutcome) {
    do {
      return (packet, try await PacketExchange.publish(packet, through: node))
    } catch let failure as QueryFailure where keepsNewer {
      guard failure.isOutdated,
        case .packet(let found) = try await PacketExchange.newest(of: keypair.publicKey, from: node)
      else { throw failure }
      return (found.packet, try await PacketExchange.publish(found.packet, through: node))
    }
  }

  private func publishThroughRelays(_ configuration: PkarrClientConfiguration, _ state: inout State) async throws {
    let start = ContinuousClock.now
    let client: PkarrClient
    if let running = state.client {
      client = running
    } else {
      client = try await RelayAccess.start(configuration)
      state.client = client
    }
    let packet: SignedPacket
    if let signed = state.packet {
      packet = signed
    } else {
      packet = try await RelayAccess.sign(state.zone, keypair, through: client, console)
    }
    let report = await client.attemptToPublish(packet)
    if case .failure(let error) = report.result { throw RelayAccess.explain(error, report) }
    state.packet = packet
    state.failures = 0
    logger.info(
      "packet.published",
      [
        "key": "\(packet.publicKey.z32)", "timestamp": JSON(packet.timestamp.microseconds),
        "stored": JSON(report.storedNodes),
      ])
    try PublishCommand.report(state.zone.name, packet, report, took: .now - start, next: interval, console)
  }

  /// Waits, but not beyond a change of the zone file: whoever saves it wants to see it published.
  private func pause(_ duration: Duration, unlessChanged path: String) async throws {
    let state = InputFile.state(path)
    let told = addresses?.router?.version
    let end = ContinuousClock.now + duration
    while true {
      let rest = end - .now
      if rest <= .zero { return }
      try await Task.sleep(for: min(rest, .seconds(2)))
      if InputFile.state(path) != state || addresses?.router?.version != told { return }
    }
  }

  /// Waits longer after each failure, but never longer than between two publications.
  private func wait(_ reason: String, _ state: inout State) async throws {
    let pause = min(interval, .seconds(5) * (1 << min(state.failures, 6)))
    state.failures += 1
    logger.warning("publish.failed", ["reason": .string(reason), "failures": JSON(state.failures)])
    console.warn(
      "network", reason, advice: "Trying again in \(DurationText.describe(pause)).")
    // A new node looks for the network afresh.
    try? await state.node?.shutdown()
    state.node = nil
    try await self.pause(pause, unlessChanged: state.zone.path)
  }

  private static func headline(_ failure: QueryFailure) -> String {
    switch failure {
    case .rejected(let code, _): "every node refused the packet: \(Network.meaning(ofCode: code))"
    case .timeout(_?): "no node confirmed that it stored the packet"
    case .notMostRecent, .conflictRisk: "somebody else publishes under this key"
    default: "no DHT node answered"
    }
  }

  /// Reads the zone file again. A file that has become unreadable or wrong is complained about once, and what was
  /// published before stays.
  private func readAgain(_ state: inout State) async throws {
    guard state.zone.path != "-" else { return }
    do throws(CommandError) {
      guard let text = try await Self.settledText(state.zone.path), text != state.zone.text else {
        state.complaint = nil
        return
      }
      let changed =
        if let addresses {
          try await ZoneInput.read(state.zone.path, for: keypair.publicKey, console, filling: addresses)
        } else {
          try ZoneInput.read(state.zone.path, for: keypair.publicKey, console)
        }
      // It must fit into a packet before it takes the place of one that does.
      PacketOutput.warnIfTooLargeForSome(try ZoneInput.sign(changed, by: keypair, timestamp: nil), console)
      if changed.records != state.zone.records { state.packet = nil }
      state.zone = changed
      state.complaint = nil
    } catch {
      if error != state.complaint {
        console.report(error, program: Pubky.program.root.name)
        console.note("    Going on with the version before.")
      }
      state.complaint = error
    }
  }

  /// The text of a file that nobody is writing at this moment: half a zone must not be published. Nil if it does not
  /// come to rest.
  static func settledText(_ path: String) async throws(CommandError) -> String? {
    var last: String?
    for _ in 0..<20 {
      let text = try InputFile.readText(path, limit: ZoneFile.defaultSizeLimit, what: "a zone file")
      if text == last { return text }
      last = text
      guard (try? await Task.sleep(for: .milliseconds(50))) != nil else { return nil }
    }
    return nil
  }
}

extension QueryFailure {
  /// True if the network holds something that is newer, or as new.
  fileprivate var isOutdated: Bool {
    switch self {
    case .notMostRecent, .conflictRisk: true
    default: false
    }
  }
}
