import CommandLineTool
import Configuration
import EventLoops
import Logging
import PkarrRelay
import PlainText

/// `pubky relay`
enum RelayCommand {
  private static let configurationFile = Option(
    "config", short: "c", value: "FILE", completion: .file, "Settings in TOML; those of other relays work unchanged")
  private static let testnet = Flag(
    "testnet", "A relay with a DHT of its own on this machine, on port 15411; wins over --config")
  private static let filter = Option(
    "tracing-env-filter", short: "t", value: "FILTER",
    "What other relays call the log level, as in pkarr_relay=debug; --log-level wins")

  static let command: Command = .init(
    "relay", "Run a relay: PKARR over HTTP",
    discussion: """
      Browsers, phones and machines without UDP publish and resolve through a relay. It keeps packets in a cache, takes \
      part in the DHT, and tells how it is doing at /health and /metrics. Without a file it listens on port 6881 and allows \
      each address two requests a second. SIGHUP makes it read its file and certificates again. It runs until Ctrl-C.
      """,
    options: [
      configurationFile.specification, testnet.specification, filter.specification, SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky relay --testnet", "Try it, without sending anything to anywhere"),
      .init("pubky relay --config relay.toml", "Run it for others"),
      .init("curl http://localhost:15411/health", "How is it doing?"),
    ],
    action: { arguments, console in
      var file = arguments[configurationFile]
      if arguments[testnet] { file = nil }
      let configuration = try file.map { path throws(CommandError) in try load(path) } ?? RelayConfiguration()
      let options = try options(arguments)
      do throws(RelayStartError) {
        let relay: RelayServer
        if arguments[testnet] {
          relay = try await RelayServer.testnet(options)
        } else {
          relay = RelayServer(configuration, options: options)
        }
        try await relay.run(configurationFile: file) {
          announce($0, console)
          ProcessMemory.releaseCodeOfStart()
        }
      } catch {
        throw explain(error)
      }
      console.note("The relay is stopped.")
    })

  private static func load(_ path: String) throws(CommandError) -> RelayConfiguration {
    do throws(ConfigurationError) {
      return try RelayConfiguration.load(path)
    } catch {
      throw ConfigurationFailure.explain(error)
    }
  }

  private static func options(_ arguments: ParsedArguments) throws(CommandError) -> RelayServer.Options {
    var options = RelayServer.Options()
    options.version = Pubky.version
    options.inheritedSockets = SocketActivation.take().map(\.descriptor)
    options.serviceManager = ServiceManager.take()
    let asked = try arguments[filter].map { text throws(CommandError) in try traceLevel(text) }
    let level = arguments[LogOptions.level] ?? asked ?? (arguments[LogOptions.verbose] ? .info : nil)
    let format = arguments[LogOptions.format]
    options.makeLogger = { settings in .standardError(level: level ?? settings.level, format: format ?? settings.format)
    }
    return options
  }

  /// The most detailed level that a filter of the form `target=level,…` names.
  private static func traceLevel(_ filter: String) throws(CommandError) -> LogLevel {
    var levels: [LogLevel] = []
    for directive in filter.split(separator: ",") {
      let word = directive.split(separator: "=", maxSplits: 1).last.map { $0.lowercased() } ?? ""
      switch word {
      case "off": levels.append(.critical)
      case "warn": levels.append(.warning)
      default:
        guard let level = LogLevel(rawValue: word) else {
          throw .usage(
            "--tracing-env-filter: \"\(ControlCharacters.escape(word))\" is not a level",
            advice: "Write trace, debug, info, warn, error or off, as in pkarr_relay=debug.")
        }
        levels.append(level)
      }
    }
    return levels.min() ?? .info
  }

  private static func explain(_ error: RelayStartError) -> CommandError {
    if case .system(let error) = error, error.isAddressInUse {
      return CommandError(
        "port_in_use", "the relay cannot start: \(error)", advice: "Choose another port in the configuration.",
        exitCode: .usage)
    }
    return CommandError("system", "the relay cannot start: \(error)", exitCode: .refused)
  }

  // MARK: - Once it runs

  /// Says where the relay is.
  private static func announce(_ relay: RelayServer, _ console: Console) {
    let endpoints = relay.localEndpoints.map(\.description)
    let nodes = relay.nodeEndpoints.map(\.description)
    if console.isJSON {
      try? console.print(
        json: [
          "url": relay.localURL.map { .string($0) } ?? .null, "endpoints": .array(endpoints.map { .string($0) }),
          "admin": relay.adminEndpoint.map { .string($0.description) } ?? .null,
          "dht": .array(nodes.map { .string($0) }),
        ])
    } else if console.isForPerson {
      let url = relay.localURL ?? endpoints.joined(separator: " ")
      try? console.print("A relay listens on \(url), its DHT node on \(nodes.joined(separator: " and ")).")
      try? console.print("    \(ProgramName.asTyped) resolve KEY --relay \(url) --no-dht", "Ctrl-C stops it.")
    } else {
      try? console.print(relay.localURL.map { [$0] } ?? endpoints)
    }
  }
}
