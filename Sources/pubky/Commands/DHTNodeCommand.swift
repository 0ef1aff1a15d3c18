import Addresses
import CommandLineTool
import Configuration
import EventLoops
import Logging
import Mainline
import MainlineProtocol
import PlainText

/// `pubky dht node`
enum DHTNodeCommand {
  private static let port = Option<UInt16>(
    "port", short: "p", value: "PORT", "The UDP port (default: 6881, or any if that is taken)",
    parse: SharedOptions.number(in: 1...65535))
  private static let bind = Option<IPAddress>(
    "bind", value: "ADDRESS", repeatable: true, "The address to bind, one of each family (default: 0.0.0.0)",
    parse: { (text: String) throws(InvalidValue) in
      guard let address = IPAddress(text) else { throw InvalidValue("\"\(text)\" is not an IP address") }
      return address
    })
  private static let noBootstrap = Flag(
    "no-bootstrap", "Be the first node of a new network, and serve from the start")
  private static let mode = Option<NodeConfiguration.Mode>(
    "mode", value: "MODE", "client, server, or adaptive: a server once others can reach it (default: adaptive)")
  private static let network = Option<NodeConfiguration.Network>(
    "network", value: "NETWORK",
    "public, or isolated: any address, and no limits for each (default: isolated if the bootstrap nodes are private)")
  private static let tableFile = Option(
    "table", value: "FILE", completion: .file, "Keep the routing table here over restarts")
  private static let configurationFile = Option(
    "config", short: "c", value: "FILE", completion: .file, "Settings in TOML; options on the command line win")

  static let command: Command = .init(
    "node", "Run a DHT node until Ctrl-C",
    discussion: """
      A node helps others to find things, and keeps their items if it can be reached from outside. With --log-level \
      info it tells once a minute how it is doing.
      """,
    options: [
      port.specification, bind.specification, SharedOptions.bootstrap.specification, noBootstrap.specification,
      mode.specification, network.specification, tableFile.specification, configurationFile.specification,
      SharedOptions.json.specification,
    ],
    examples: [.init("pubky dht node --table ~/.cache/pubky-table", "Take part, and start faster the next time")],
    action: { arguments, console in
      let configuration = try configuration(arguments)
      let logger = LogOptions.logger(arguments)
      _ = try await Interruption.during(undone: nil) {
        let node = try await Network.start(configuration)
        logger.notice("dht.started", ["endpoints": .array(node.localEndpoints.map { .string($0.description) })])
        try announce(node, console)
        ProcessMemory.releaseCodeOfStart()
        do { try await tell(node, logger) } catch {}
        do throws(SystemError) {
          try await node.shutdown()
        } catch {
          throw CommandError("system", "the routing table was not saved: \(error)", exitCode: .refused)
        }
        logger.notice("dht.stopped")
      }
      console.note("The node is stopped.")
    })

  private static func configuration(_ arguments: ParsedArguments) throws(CommandError) -> MainlineConfiguration {
    var configuration = MainlineConfiguration()
    if let path = arguments[configurationFile] {
      let text = try InputFile.readText(path, limit: 1 << 20, what: "a configuration")
      do throws(ConfigurationError) {
        configuration = try ConfigurationDecoder().decode(
          NodeSettings.self, from: text, file: InputFile.displayName(path)
        ).configuration
      } catch {
        throw ConfigurationFailure.explain(error)
      }
    }
    if let port = arguments[port] { configuration.port = port }
    if let mode = arguments[mode] { configuration.node.mode = mode }
    if let file = arguments[tableFile] { configuration.tableFile = file }
    let addresses = arguments.all(bind)
    guard Set(addresses.map(\.family)).count == addresses.count else {
      throw .usage("--bind: one address of each family can be bound")
    }
    if !addresses.isEmpty { configuration.bindAddresses = addresses }
    let bootstrap = arguments.all(SharedOptions.bootstrap)
    if arguments[noBootstrap] {
      guard bootstrap.isEmpty else { throw .usage("--bootstrap and --no-bootstrap exclude each other") }
      configuration.bootstrap = []
    } else if !bootstrap.isEmpty {
      configuration.bootstrap = bootstrap
    }
    settleNetwork(&configuration, asked: arguments[network])
    return configuration
  }

  /// A network of this machine or of a private one goes by other rules than the public one.
  private static func settleNetwork(
    _ configuration: inout MainlineConfiguration, asked: NodeConfiguration.Network?
  ) {
    let isFirst = configuration.bootstrap.isEmpty
    let isPrivate =
      isFirst
      ? configuration.bindAddresses.allSatisfy(\.isLoopback) : configuration.bootstrap.allSatisfy(Network.isPrivate)
    if let asked {
      configuration.node.network = asked
    } else if isPrivate {
      configuration.node.network = .isolated
    }
    // An adaptive node serves once others have told it that it can be reached; a first node has no others.
    if configuration.node.mode == .adaptive, isFirst || isPrivate { configuration.node.mode = .server }
  }

  private static func announce(_ node: MainlineNode, _ console: Console) throws(CommandError) {
    let endpoints = node.localEndpoints.map(\.description)
    if console.isJSON {
      try console.print(json: ["endpoints": .array(endpoints.map { .string($0) })])
    } else if console.isForPerson {
      try console.print("A DHT node listens on \(endpoints.joined(separator: " and ")). Ctrl-C stops it.")
    } else {
      try console.print(endpoints)
    }
  }

  /// Logs how the node is doing once a minute.
  private static func tell(_ node: MainlineNode, _ logger: Logger) async throws {
    while true {
      try await Task.sleep(for: .seconds(60))
      guard logger.level <= .info, let info = await node.info() else { continue }
      logger.info(
        "dht.status",
        [
          "nodes": JSON(info.families.reduce(0) { $0 + $1.goodNodes }), "server": .bool(info.isServer),
          "network_size": .number(info.networkSize.rounded()), "items": JSON(info.storedItems),
          "received": JSON(info.statistics.datagramsReceived), "sent": JSON(info.statistics.datagramsSent),
          "dropped": JSON(info.statistics.queriesDropped),
        ])
    }
  }
}
