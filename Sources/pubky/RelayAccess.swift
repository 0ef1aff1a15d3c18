import CommandLineTool
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PlainText

/// Relays as `publish` and `resolve` use them: beside the DHT, or in its place.
enum RelayAccess {
  static let relay = Option<RelayURL>(
    "relay", short: "r", value: "URL", repeatable: true, "Use this relay as well, as in https://relay.example",
    parse: { (text: String) throws(InvalidValue) in
      do throws(InvalidRelayURL) {
        return try RelayURL(text)
      } catch {
        let lines = "\(error)".split(separator: "\n").map(String.init)
        throw InvalidValue(lines[0], advice: lines.count > 1 ? lines[1] : nil)
      }
    })
  static let noDHT = Flag("no-dht", "Use the relays alone, without the DHT")

  static let options = [relay.specification, noDHT.specification]

  /// True if relays are wanted, and the DHT alone is not enough.
  ///
  /// - Throws: `CommandError` if there is nobody to ask.
  static func isWanted(_ arguments: ParsedArguments) throws(CommandError) -> Bool {
    let relays = arguments.all(relay)
    if arguments[noDHT] {
      if relays.isEmpty { throw .usage("--no-dht leaves nobody to ask", advice: "Name a relay with --relay URL.") }
      if !arguments.all(SharedOptions.bootstrap).isEmpty {
        throw .usage("--bootstrap and --no-dht exclude each other")
      }
    }
    return !relays.isEmpty
  }

  /// How a client for the command is set up.
  static func configuration(_ arguments: ParsedArguments) -> PkarrClientConfiguration {
    var configuration = PkarrClientConfiguration.noDefaultNetwork
    let relays = arguments.all(relay)
    configuration.relays = relays.isEmpty ? nil : relays
    let bootstrap = arguments.all(SharedOptions.bootstrap)
    if !arguments[noDHT] { configuration.dht = Network.clientConfiguration(bootstrap) }
    if !bootstrap.isEmpty, bootstrap.allSatisfy(Network.isPrivate) { configuration.reportPolicy = .testnet }
    return configuration
  }

  /// ` --relay … --no-dht` for a line that people copy.
  static func words(_ arguments: ParsedArguments) -> String {
    arguments.all(relay).map { " --relay \($0)" }.joined() + (arguments[noDHT] ? " --no-dht" : "")
  }

  /// Starts a client.
  ///
  /// - Throws: `CommandError` if the system does not give what it needs.
  static func start(_ configuration: PkarrClientConfiguration) async throws(CommandError) -> PkarrClient {
    do throws(PkarrClientBuildError) {
      return try await PkarrClient(configuration)
    } catch {
      throw explain("system", "\(error)")
    }
  }

  /// Runs one command's work with a client that ends with it, under a progress line; Ctrl-C cancels it.
  static func withClient<Result: Sendable>(
    _ arguments: ParsedArguments, _ console: Console, doing: String, undone: String,
    _ work: @escaping @Sendable (PkarrClient, ProgressLine) async throws -> Result
  ) async throws -> Result {
    let configuration = configuration(arguments)
    let result = try await Interruption.during(undone: undone) {
      let client = try await start(configuration)
      let result: Result
      do {
        result = try await ProgressLine.show(doing, on: console) { try await work(client, $0) }
        await client.finishRepairs()
      } catch {
        await client.shutdown()
        throw error
      }
      await client.shutdown()
      return result
    }
    guard let result else { throw CancellationError() }
    return result
  }

  // MARK: - Signing

  /// Signs a zone so that it is newer than what the DHT and the relays hold.
  static func sign(
    _ zone: ZoneInput.Zone, _ keypair: Keypair, through client: PkarrClient, _ console: Console
  ) async throws -> SignedPacket {
    let newest: Int64
    do throws(ResolveFailure) {
      newest = try await client.resolution(of: keypair.publicKey, policy: .networkOnly).packet.timestamp.seq
    } catch {
      switch error.error {
      case .notFound: newest = 0
      case .invalidSignedPacket(let seq):
        try checkUnproven(seq)
        newest = max(0, seq)
      default: throw explain(error, keypair.publicKey)
      }
    }
    return try ZoneInput.sign(
      zone, by: keypair, timestamp: try PacketExchange.timestamp(toReplace: newest, console))
  }

  /// Refuses a version that a relay only claims, without the item that would prove it, and that lies far ahead: if relays
  /// could name any version, a lie would make the owner sign the last one there is, and nothing could follow it.
  private static func checkUnproven(_ seq: Int64) throws(CommandError) {
    let limit = Timestamp.now().adding(seconds: 86400)
    guard seq > 0, Timestamp(seq: seq) > limit else { return }
    throw CommandError(
      "invalid_packet", "a version from the future is said to be published, \(seq), that is no signed packet",
      details: ["Nobody has proved that. What follows such a version cannot be replaced by much after it."],
      advice: "Nothing was signed. Publish through the DHT alone, without --relay: it proves what it holds.",
      exitCode: .refused)
  }

  // MARK: - Failures

  /// Why a key was not resolved, for a person.
  static func explain(_ failure: ResolveFailure, _ key: PublicKey) -> any Error {
    let details = lines(failure.report)
    switch failure.error {
    case .cancelled: return CancellationError()
    case .notFound:
      return CommandError.notFound(
        "nothing is published under \(key.z32)", details: details,
        advice: "Nodes forget after some hours what is not published again.")
    case .invalidSignedPacket:
      return explain("invalid_packet", "\(failure.error)", details: details)
    case .noDHTNodesQueried, .noResponses: return explain("no_nodes", "\(failure.error)", details: details)
    case .noUsableResponses, .unexpectedResponses: return explain("rejected", "\(failure.error)", details: details)
    }
  }

  /// Why a packet was not published, for a person.
  static func explain(_ error: PublishError, _ report: PublishReport?) -> any Error {
    let details = (report?.backends ?? []).compactMap { backend -> String? in
      guard case .failure(let error) = backend.result else { return nil }
      let reason = backend.relayError.map { "\($0)" } ?? firstLine("\(error)")
      return "\(backend.target): \(reason)"
    }
    let code: String
    switch error {
    case .cancelled: return CancellationError()
    case .notMostRecent: code = "not_most_recent"
    case .noDHTNodesQueried, .noResponses: code = "no_nodes"
    case .rejected, .unexpectedResponses: code = "rejected"
    case .notPublishable: code = "bad_input"
    }
    return explain(code, "\(error)", details: details)
  }

  /// What each relay that did not serve the packet said.
  private static func lines(_ report: FreshnessReport) -> [String] {
    var lines = report.relays.compactMap { relay -> String? in
      switch relay.standing {
      case .failed(let error): "\(relay.url): \(firstLine("\(error)"))"
      case .nothing: "\(relay.url): holds nothing"
      case .current, .older, .unanswered: nil
      }
    }
    if let dht = report.dht {
      lines.append(
        "Asked \(NumberText.count(dht.lookup.queried, "DHT node")); \(dht.lookup.responded) answered, none of them has it."
      )
    }
    return lines
  }

  /// An error whose text is in three lines: what, where, what to do.
  private static func explain(_ code: String, _ text: String, details: [String] = []) -> CommandError {
    let lines = text.split(separator: "\n").map(String.init)
    return CommandError(
      code, lines.first ?? text, details: (lines.count > 2 ? [lines[1]] : []) + details,
      advice: lines.count > 1 ? lines.last : nil, exitCode: code == "bad_input" ? .usage : .refused)
  }

  private static func firstLine(_ text: String) -> String { text.split(separator: "\n").first.map(String.init) ?? text }
}
