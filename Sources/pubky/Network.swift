import Addresses
import CommandLineTool
import EventLoops
import Logging
import Mainline
import MainlineProtocol
import PlainText

/// The DHT as the commands use it.
enum Network {
  /// A node that asks and does not answer, for one command.
  ///
  /// Bootstrap nodes that are all on this machine or in a private network make the network a private one: then the rules
  /// of the public one about addresses do not hold, and nothing is sent to the public one.
  static func clientConfiguration(_ bootstrap: [HostName]) -> MainlineConfiguration {
    var configuration: MainlineConfiguration
    if bootstrap.isEmpty {
      configuration = .dualStack
    } else if bootstrap.allSatisfy(isPrivate) {
      configuration = .isolated(bootstrap: bootstrap)
      configuration.bindAddresses = bindAddresses(bootstrap)
    } else {
      configuration = .dualStack
      configuration.bootstrap = bootstrap
    }
    configuration.node.mode = .client
    configuration.port = 0
    return configuration
  }

  static func isPrivate(_ host: HostName) -> Bool {
    host.endpoint.map { !$0.address.isGlobalUnicast } ?? (host.host == "localhost")
  }

  /// Loopback if that is enough, so that no firewall asks about the command.
  private static func bindAddresses(_ bootstrap: [HostName]) -> [IPAddress] {
    let addresses = bootstrap.compactMap { $0.endpoint?.address }
    let isLocal = addresses.allSatisfy(\.isLoopback)
    let needsV4 = addresses.isEmpty || addresses.contains(where: \.isIPv4)
    let needsV6 = addresses.contains { !$0.isIPv4 }
    return (needsV4 ? [isLocal ? .loopbackV4 : .anyV4] : []) + (needsV6 ? [isLocal ? .loopbackV6 : .anyV6] : [])
  }

  /// ` --bootstrap …` for a line that people copy.
  static func options(_ bootstrap: [HostName]) -> String { bootstrap.map { " --bootstrap \($0)" }.joined() }

  /// Starts a node. Without IPv6 on this machine it does with IPv4.
  ///
  /// - Throws: `CommandError` if the system has no socket for it.
  static func start(_ configuration: MainlineConfiguration) async throws(CommandError) -> MainlineNode {
    do throws(SystemError) {
      return try await MainlineNode(configuration)
    } catch {
      var alternative = configuration
      alternative.bindAddresses.removeAll { !$0.isIPv4 }
      if !error.isAddressInUse, !alternative.bindAddresses.isEmpty,
        alternative.bindAddresses.count < configuration.bindAddresses.count
      {
        return try await start(alternative)
      }
      throw socketError(error, port: configuration.port)
    }
  }

  /// A node that runs already, or a new one: for commands that go on when the network goes away.
  ///
  /// - Throws: `QueryFailure.noNodes` if there is no socket to be had, as on a machine that has just lost its network.
  static func connected(_ node: MainlineNode?, _ bootstrap: [HostName]) async throws(QueryFailure) -> MainlineNode {
    if let node { return node }
    do throws(CommandError) {
      return try await start(clientConfiguration(bootstrap))
    } catch {
      throw .noNodes
    }
  }

  /// Why a node could not start, for a person.
  static func socketError(_ error: SystemError, port: UInt16?) -> CommandError {
    if error.isAddressInUse, let port {
      return CommandError(
        "port_in_use", "port \(port) is taken by another program", advice: "Choose another port with --port.",
        exitCode: .usage)
    }
    return CommandError("system", "the node cannot start: \(error)", exitCode: .refused)
  }

  /// Runs one command's work with a node that ends with it, under a progress line; Ctrl-C cancels it.
  static func withClient<Result: Sendable>(
    _ arguments: ParsedArguments, _ console: Console, doing: String, undone: String,
    _ work: @escaping @Sendable (MainlineNode, ProgressLine) async throws -> Result
  ) async throws -> Result {
    let bootstrap = arguments.all(SharedOptions.bootstrap)
    return try await withNode(
      clientConfiguration(bootstrap), arguments, console, doing: doing, undone: undone, work)
  }

  /// Runs one command's work with a node of a given kind, as `withClient` does.
  static func withNode<Result: Sendable>(
    _ configuration: MainlineConfiguration, _ arguments: ParsedArguments, _ console: Console, doing: String,
    undone: String, _ work: @escaping @Sendable (MainlineNode, ProgressLine) async throws -> Result
  ) async throws -> Result {
    let bootstrap = arguments.all(SharedOptions.bootstrap)
    let logger = LogOptions.logger(arguments)
    let result = try await Interruption.during(undone: undone) {
      let node = try await start(configuration)
      logger.info("dht.started", ["endpoints": .array(node.localEndpoints.map { .string($0.description) })])
      let result: Result
      do {
        result = try await ProgressLine.show(doing, on: console) { try await work(node, $0) }
      } catch {
        try? await node.shutdown()
        throw (error as? QueryFailure).map { explain($0, bootstrap) } ?? error
      }
      try? await node.shutdown()
      return result
    }
    guard let result else { throw CancellationError() }
    return result
  }
}

// MARK: - Failures

extension Network {
  /// What a failed query means for a person.
  static func explain(_ failure: QueryFailure, _ bootstrap: [HostName]) -> any Error {
    switch failure {
    case .noNodes, .timeout(nil): return noNodes(bootstrap)
    case .timeout(let outcome?):
      return CommandError(
        "timeout", "none of \(NumberText.count(outcome.sent, "node")) confirmed that it stored the item",
        details: lines(outcome), advice: "Try again; if it stays so, a firewall may block UDP.", exitCode: .refused)
    case .notMostRecent(let outcome):
      let found = outcome.highestSeqFound.map {
        "The newest version found is \($0), at \(NumberText.count(outcome.holdersOfHighest, "node"))."
      }
      return CommandError(
        "not_most_recent", "the network holds a newer version", details: (found.map { [$0] } ?? []) + lines(outcome),
        advice: "Somebody else publishes with this key, or a clock is wrong. Publish again to replace what is there.",
        exitCode: .refused)
    case .conflictRisk(let outcome):
      return CommandError(
        "conflict", "the network holds another item of the same version", details: lines(outcome),
        advice: "Publish again: the new version will be higher.", exitCode: .refused)
    case .casFailed(let outcome):
      return CommandError(
        "cas_failed", "the stored version is not the one that --cas names", details: lines(outcome), exitCode: .refused)
    case .rejected(let code, let outcome):
      return CommandError(
        "rejected", "every node refused the item: \(meaning(ofCode: code))", details: lines(outcome), exitCode: .refused
      )
    case .invalidItem: return CommandError.input("the item breaks a limit of BEP 44")
    case .cancelled: return CancellationError()
    }
  }

  static func noNodes(_ bootstrap: [HostName]) -> CommandError {
    let asked = bootstrap.isEmpty ? MainlineConfiguration.publicBootstrap : bootstrap
    let list = asked.prefix(4).map(\.description).joined(separator: ", ") + (asked.count > 4 ? ", …" : "")
    var details = ["Asked \(NumberText.count(asked.count, "bootstrap node")): \(list)"]
    let advice: String
    if bootstrap.isEmpty {
      advice = "Is this machine online? A firewall may block UDP. Other entrances: --bootstrap HOST:PORT."
    } else {
      advice = "Is a node running there?"
      if bootstrap.allSatisfy(isPrivate) {
        details.append("A network on this machine is started with: \(ProgramName.asTyped) testnet")
      }
    }
    return CommandError("no_nodes", "no DHT node answered", details: details, advice: advice, exitCode: .refused)
  }

  /// How the nodes reacted to a put.
  private static func lines(_ outcome: PutOutcome) -> [String] {
    var lines = [
      "Sent to \(NumberText.count(outcome.sent, "node")): \(outcome.stored) stored it, \(outcome.timeouts) did not answer"
    ]
    for (code, count) in outcome.rejections.sorted(by: { $0.key < $1.key }) {
      lines.append("\(NumberText.count(count, "node")) refused it: \(meaning(ofCode: code))")
    }
    return lines
  }

  /// Error codes of KRPC (BEP 5, BEP 44).
  static func meaning(ofCode code: Int) -> String {
    switch code {
    case 201: "201, an error of the node"
    case 202: "202, the node is overloaded or out of order"
    case 203: "203, a bad query or token"
    case 204: "204, the node does not store items"
    case 205: "205, the value is too big"
    case 206: "206, the signature is not valid"
    case 207: "207, the salt is too big"
    case 301: "301, the version is not the one expected"
    case 302: "302, the node holds a newer version"
    default: "error \(code)"
    }
  }
}
