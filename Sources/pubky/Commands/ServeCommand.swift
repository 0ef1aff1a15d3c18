import Addresses
import CommandLineTool
import EventLoops
import Glibc
import Logging
import Pkarr
import PkarrClient
import PkarrSite
import PlainText

/// `pubky serve`
enum ServeCommand {
  private static let folder = Argument("DIR", completion: .file, "The folder whose files are served")
  private static let listen = Option<IPAddress>(
    "listen", value: "ADDRESS", repeatable: true,
    "Listen here, one address of each family (default: all; this machine only if the bootstrap nodes are)",
    parse: address)
  private static let port = Option<UInt16>(
    "port", short: "p", value: "PORT", "The TCP port, 0 for any (default: 8443)",
    parse: SharedOptions.number(in: 0...65535))
  private static let published = Option<IPAddress>(
    "address", value: "ADDRESS", repeatable: true,
    "Publish this address (default: the one it listens on, else the one that the DHT sees)", parse: address)
  private static let ttl = Option<Duration>(
    "ttl", value: "DURATION", "How long others may keep the records (default: 1h)",
    parse: SharedOptions.duration(atLeast: .zero))
  private static let every = Option<Duration>(
    "every", value: "DURATION", "Publish again this often (default: 1h)",
    parse: SharedOptions.duration(atLeast: .seconds(1)))
  private static let replace = Flag("replace", "Remove all other records of the key instead of keeping them")
  private static let noPublish = Flag("no-publish", "Serve only, and publish nothing")

  static let command: Command = .init(
    "serve", "Serve the files of a folder as https://KEY/",
    discussion: """
      Publishes where it is beside what is published under the key already, and again about hourly. The server proves \
      that it has the key; no certificate is needed, and pubky get reads it. A folder is its index.html; names that begin \
      with a dot, listings, and links that lead out of the folder are not served. It runs until Ctrl-C.
      """,
    arguments: [folder.specification],
    options: [
      KeyFile.option.specification, listen.specification, port.specification, published.specification,
      ttl.specification, every.specification, replace.specification, noPublish.specification,
      SharedOptions.bootstrap.specification,
    ] + RelayAccess.options + [SharedOptions.json.specification],
    examples: [
      .init("pubky serve public --key my.key", "Serve the folder public"),
      .init("pubky serve public --address 203.0.113.7 --port 443", "Behind a router that forwards port 443"),
    ],
    action: { arguments, console in
      _ = try RelayAccess.isWanted(arguments)
      let keypair = try KeyFile.read(arguments, console)
      let logger = LogOptions.logger(arguments)
      let place = try place(arguments)
      _ = try await Interruption.during(undone: nil) {
        let site = try await start(keypair, arguments, logger)
        logger.notice("site.started", ["endpoints": .array(site.localEndpoints.map { .string($0.description) })])
        try announce(site, arguments, console)
        var place = place
        place.port = site.localEndpoints[0].port
        do {
          try await publish(site, place, arguments, console, logger)
        } catch {
          await site.shutdown()
          guard error is CancellationError else { throw error }
        }
        await site.shutdown()
        logger.notice("site.stopped")
      }
      console.note("The site is no longer served. Its records stay on the network for some hours.")
    })

  private static func address(_ text: String) throws(InvalidValue) -> IPAddress {
    guard let address = IPAddress(text) else { throw InvalidValue("\"\(text)\" is not an IP address") }
    return address
  }

  // MARK: What was asked for

  private static func isLocal(_ arguments: ParsedArguments) -> Bool {
    let bootstrap = arguments.all(SharedOptions.bootstrap)
    return !bootstrap.isEmpty && bootstrap.allSatisfy { $0.endpoint?.address.isLoopback ?? ($0.host == "localhost") }
  }

  private static func addresses(_ arguments: ParsedArguments) -> [IPAddress] {
    let given = arguments.all(listen)
    if !given.isEmpty { return given }
    return isLocal(arguments) ? [.loopbackV4] : [.anyV4, .anyV6]
  }

  /// Where others find the site, but for the port.
  private static func place(_ arguments: ParsedArguments) throws(CommandError) -> SitePublisher.Place {
    let addresses = addresses(arguments)
    guard Set(addresses.map(\.family)).count == addresses.count else {
      throw .usage("--listen: one address of each family can be listened on")
    }
    if addresses.count > 1, arguments[port] == 0 {
      throw .usage("--port 0 needs one --listen ADDRESS", advice: "Two families would get two ports.")
    }
    let wanted = arguments.all(published)
    var place = SitePublisher.Place(
      addresses: wanted.isEmpty ? addresses.filter { $0 != .anyV4 && $0 != .anyV6 } : wanted, port: 0)
    place.families = Set(addresses.map(\.family))
    if let ttl = arguments[ttl] { place.ttl = TimeToLive(seconds: UInt32(clamping: ttl.components.seconds)) }
    if place.addresses.isEmpty, arguments[RelayAccess.noDHT], !arguments[noPublish] {
      throw .usage(
        "--address ADDRESS is missing", advice: "Without the DHT nobody tells which address this machine has.")
    }
    return place
  }

  // MARK: Serving

  private static func start(
    _ keypair: Keypair, _ arguments: ParsedArguments, _ logger: Logger
  ) async throws(CommandError) -> SiteServer {
    var configuration = SiteServer.Configuration(folder: try arguments.required(folder), keypair: keypair)
    configuration.addresses = addresses(arguments)
    configuration.port = arguments[port] ?? 8443
    configuration.threads = max(1, min(4, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    while true {
      do throws(SiteError) {
        let site = try SiteServer(configuration) { logger.error("site.file_unreadable", ["reason": .string($0)]) }
        try await site.start()
        return site
      } catch {
        // Without IPv6 on this machine.
        if case .system(let reason) = error, !reason.isAddressInUse, arguments.all(listen).isEmpty,
          configuration.addresses.count > 1
        {
          configuration.addresses.removeAll { !$0.isIPv4 }
          continue
        }
        throw explain(error, configuration.port)
      }
    }
  }

  private static func explain(_ error: SiteError, _ port: UInt16) -> CommandError {
    switch error {
    case .folder: return .input("\(error)")
    case .system(let reason) where reason.isAddressInUse:
      return CommandError(
        "port_in_use", "port \(port) is taken by another program", advice: "Choose another port with --port.",
        exitCode: .usage)
    case .system, .tls: return CommandError("system", "the site cannot be served: \(error)", exitCode: .refused)
    }
  }

  private static func announce(
    _ site: SiteServer, _ arguments: ParsedArguments, _ console: Console
  ) throws(CommandError) {
    let endpoints = site.localEndpoints.map(\.description)
    if console.isJSON {
      return try console.print(
        json: [
          "url": .string(site.url), "key": .string(site.configuration.keypair.publicKey.z32),
          "endpoints": .array(endpoints.map { .string($0) }),
        ])
    }
    guard console.isForPerson else { return try console.print(site.url) }
    let network = Network.options(arguments.all(SharedOptions.bootstrap)) + RelayAccess.words(arguments)
    try console.print(
      "Serving \(site.configuration.folder) on \(endpoints.joined(separator: " and ")) as",
      "    \(console.style.bold(site.url))", "Read it with:", "    \(ProgramName.asTyped) get \(site.url)\(network)",
      "Ctrl-C stops it.", "")
  }

  // MARK: Being found

  /// Publishes again and again, until its task is cancelled.
  private static func publish(
    _ site: SiteServer, _ place: SitePublisher.Place, _ arguments: ParsedArguments, _ console: Console,
    _ logger: Logger
  ) async throws {
    if arguments[noPublish] { return try await Interruption.wait() }
    let client = try await RelayAccess.start(RelayAccess.configuration(arguments))
    let interval = arguments[every] ?? .seconds(3600)
    var publisher = SitePublisher(
      client, site.configuration.keypair, at: place, replacesAll: arguments[replace])
    var failures = 0
    do {
      while true {
        let start = ContinuousClock.now
        do throws(SitePublicationError) {
          let publication = try await publisher.publish()
          failures = 0
          logger.info(
            "packet.published",
            [
              "key": .string(publication.packet.publicKey.z32),
              "timestamp": JSON(publication.packet.timestamp.microseconds),
              "stored": JSON(publication.report.storedNodes),
            ])
          try? PublishCommand.report(
            "where it is", publication.packet, publication.report, took: .now - start, next: interval, console)
          if (try? await Task.sleep(for: interval)) == nil { throw .update(.publish(.cancelled)) }
        } catch {
          try Task.checkCancellation()
          guard error.isTemporary else { throw explain(error) }
          let pause = min(interval, .seconds(5) * (1 << min(failures, 6)))
          failures += 1
          logger.warning("publish.failed", ["reason": .string(headline(error)), "failures": JSON(failures)])
          console.warn("network", headline(error), advice: advice(error, pause))
          try await Task.sleep(for: pause)
        }
      }
    } catch {
      await client.shutdown()
      throw error
    }
  }

  private static func headline(_ error: SitePublicationError) -> String {
    "\(error)".split(separator: "\n").first.map(String.init) ?? ""
  }

  private static func advice(_ error: SitePublicationError, _ pause: Duration) -> String {
    let again = "Trying again in \(DurationText.describe(pause))."
    if case .noAddress = error { return "Name it with --address ADDRESS. \(again)" }
    return again
  }

  private static func explain(_ error: SitePublicationError) -> CommandError {
    let lines = "\(error)".split(separator: "\n").map(String.init)
    switch error {
    case .update(.resolve):
      return CommandError(
        "invalid_packet", lines[0], details: Array(lines.dropFirst()),
        advice: "Another program uses this key. To replace what it published: --replace.", exitCode: .refused)
    default: return .input(lines[0], details: Array(lines.dropFirst()))
    }
  }
}
