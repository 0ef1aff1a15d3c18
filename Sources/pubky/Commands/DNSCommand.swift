import Addresses
import CommandLineTool
import Configuration
import EventLoops
import Glibc
import Logging
import PKDNS
import PlainText

/// `pubky dns`
enum DNSCommand {
  private static let forward = Option<UpstreamServer>(
    "forward", short: "f", value: "SERVER", repeatable: true,
    "Forward names that are no keys to this server: ADDRESS[:PORT], tcp://…, tls://ADDRESS#NAME, https://ADDRESS/PATH#NAME",
    parse: upstream)
  private static let listen = Option<Endpoint>(
    "listen", short: "l", value: "ADDRESS:PORT", repeatable: true,
    "Listen here, over UDP and TCP (default: 0.0.0.0:53)",
    parse: { (text: String) throws(InvalidValue) in
      guard let endpoint = Endpoint(text) else {
        throw InvalidValue("\"\(text)\" is not ADDRESS:PORT", advice: "Write it like 127.0.0.1:5353 or [::1]:5353.")
      }
      return endpoint
    })
  static let directory = Option(
    "pkdns-dir", short: "p", value: "DIR", completion: .file,
    "The directory with config.toml, in which packets and nodes are kept over restarts (default: ~/.pkdns, if it is there)"
  )

  static let configurationFile = Option(
    "config", short: "c", value: "FILE", completion: .file, "Settings in TOML; those of pkdns work unchanged")

  static let command: Command = .init(
    "dns", "Run a DNS server that knows keys",
    discussion: """
      Every program that asks a DNS server can then use names of keys: KEY, www.KEY, www.KEY.key. All other names are \
      forwarded. Clients come over UDP and TCP, and over TLS and HTTPS if the settings say so. SIGHUP makes it read its file \
      and certificates again; no query is lost. It runs until Ctrl-C.
      """,
    options: [
      configurationFile.specification, directory.specification, forward.specification, listen.specification,
      SharedOptions.bootstrap.specification, SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky dns --listen 127.0.0.1:5353", "Try it without being root"),
      .init("pubky dns --listen 127.0.0.1:5353 --bootstrap 127.0.0.1:6881", "Try it on the network of pubky up"),
      .init("dig @127.0.0.1 -p 5353 KEY", "Ask it"),
      .init("pubky dns --config dns.toml", "Run it for others"),
      .init("pubky dns check 127.0.0.1", "Does it answer, for both kinds of names?"),
    ],
    subcommands: [DNSCheckCommand.command, DNSLookupCommand.command, DNSFlushCommand.command],
    action: { arguments, console in
      let settings = DNSSettingsFile(arguments)
      let file = try settings.find()
      let configuration = try configuration(file, settings, arguments)
      let server = PKDNSServer(configuration, options: options(arguments))
      do throws(PKDNSStartError) {
        try await server.run(
          configurationFile: file,
          load: { path throws(ConfigurationError) in
            try apply(arguments, settings, to: PKDNSConfiguration.load(path))
          },
          onStart: {
            announce($0, console)
            ProcessMemory.releaseCodeOfStart()
          })
      } catch {
        throw explain(error)
      }
      console.note("The DNS server is stopped.")
    })

  static func upstream(_ text: String) throws(InvalidValue) -> UpstreamServer {
    guard let server = UpstreamServer(text) else {
      throw InvalidValue(
        "\"\(text)\" is no name server",
        advice: "Write an address: 9.9.9.9, 9.9.9.9:53, tcp://9.9.9.9, tls://9.9.9.9#dns.quad9.net.")
    }
    return server
  }

  // MARK: Settings

  private static func configuration(
    _ file: String?, _ settings: DNSSettingsFile, _ arguments: ParsedArguments
  ) throws(CommandError) -> PKDNSConfiguration {
    do throws(ConfigurationError) {
      let read = try file.map { path throws(ConfigurationError) in try PKDNSConfiguration.load(path) }
      return apply(arguments, settings, to: read ?? PKDNSConfiguration())
    } catch {
      throw ConfigurationFailure.explain(error)
    }
  }

  /// The command line has the last word.
  private static func apply(
    _ arguments: ParsedArguments, _ settings: DNSSettingsFile, to configuration: PKDNSConfiguration
  ) -> PKDNSConfiguration {
    var configuration = configuration
    let servers = arguments.all(forward)
    if !servers.isEmpty { configuration.general.forward = servers }
    let endpoints = arguments.all(listen)
    if !endpoints.isEmpty { configuration.general.sockets = endpoints }
    let entrances = arguments.all(SharedOptions.bootstrap)
    if !entrances.isEmpty {
      configuration.dht.bootstrap = entrances
      // Relays know nothing of a network of one's own.
      configuration.dht.isIsolated = entrances.allSatisfy(Network.isPrivate)
      if configuration.dht.isIsolated { configuration.dht.relays = [] }
    }
    if let directory = settings.dataDirectory {
      if configuration.general.packetCacheFile == nil { configuration.general.packetCacheFile = directory + "/packets" }
      if configuration.dht.tableFile == nil { configuration.dht.tableFile = directory + "/dht-nodes" }
    }
    return configuration
  }

  private static func options(_ arguments: ParsedArguments) -> PKDNSServer.Options {
    var options = PKDNSServer.Options()
    options.version = Pubky.version
    options.inheritedSockets = SocketActivation.take()
    options.serviceManager = ServiceManager.take()
    let level = arguments[LogOptions.level]
    let isVerbose = arguments[LogOptions.verbose]
    let format = arguments[LogOptions.format]
    options.makeLogger = { settings in
      // As with pkdns, the flag only makes it say more.
      let base = isVerbose ? min(settings.level, .debug) : settings.level
      return .standardError(level: level ?? base, format: format ?? settings.format)
    }
    return options
  }

  private static func explain(_ error: PKDNSStartError) -> CommandError {
    switch error {
    case .addressInUse:
      CommandError("port_in_use", "the server cannot start: \(error)", advice: error.advice, exitCode: .usage)
    default:
      CommandError("system", "the server cannot start: \(error)", advice: error.advice, exitCode: .refused)
    }
  }

  // MARK: Once it runs

  private static func announce(_ server: PKDNSServer, _ console: Console) {
    let plain = server.localEndpoints.map(\.description)
    if console.isJSON {
      func list(_ endpoints: [Endpoint]) -> JSON { .array(endpoints.map { .string($0.description) }) }
      try? console.print(
        json: [
          "dns": list(server.localEndpoints), "tls": list(server.encryptedEndpoints),
          "https": list(server.httpsEndpoints),
          "admin": server.adminEndpoint.map { .string($0.description) } ?? .null,
        ])
    } else if console.isForPerson {
      try? console.print("A DNS server listens on \(plain.joined(separator: " and ")).", "Ctrl-C stops it.")
    } else {
      try? console.print(plain)
    }
  }
}

/// The file with the settings of a DNS server, and the directory for what it keeps.
struct DNSSettingsFile: Sendable {
  private let file: String?
  private let directory: String?

  init(_ arguments: ParsedArguments) {
    file = arguments[DNSCommand.configurationFile]
    directory = arguments[DNSCommand.directory]
  }

  private static let home = getenv("HOME").map { String(cString: $0) }

  /// Where things are kept: only where somebody said so, or where pkdns keeps them already.
  var dataDirectory: String? {
    if let directory { return Self.expanded(directory) }
    guard file == nil, let usual = Self.home.map({ $0 + "/.pkdns" }), Self.exists(usual) else { return nil }
    return usual
  }

  /// The file to read; nil if there is none. Makes the directory if it was named and is missing.
  func find() throws(CommandError) -> String? {
    if let file { return file }
    guard let dataDirectory else { return nil }
    if directory != nil, mkdir(dataDirectory, 0o700) != 0, errno != EEXIST {
      throw .input("\(dataDirectory): the directory cannot be made: \(String(cString: strerror(errno)))")
    }
    // The first is what pkdns reads now, the second what its releases read.
    for name in ["config.toml", "pkdns.toml"] {
      let path = "\(dataDirectory)/\(name)"
      if Self.exists(path) { return path }
    }
    return nil
  }

  private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private static func expanded(_ path: String) -> String {
    guard path.hasPrefix("~/"), let home else { return path }
    return home + path.dropFirst()
  }
}
