import CommandLineTool
import EventLoops
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PlainText

/// `pubky publish`
enum PublishCommand {
  private static let every = Option<Duration>(
    "every", value: "DURATION", "Go on, and publish again this often: 1h, 30m",
    parse: SharedOptions.duration(atLeast: .seconds(1)))

  static let command: Command = .init(
    "publish", "Publish a zone file under your key",
    discussion: """
      The zone file takes the place of all that was published under the key before. Nodes forget after some hours, so \
      publish again about hourly: --every 1h does so, sends the same signed bytes unless the file has changed, and \
      waits for a network that goes away. {external_ipv4} and {external_ipv6} in the file stand for the addresses of \
      this machine as the internet sees them, found anew each time. Seed and zone files of pkdns-cli work.
      """,
    arguments: [ZoneInput.argument.specification],
    options: [KeyFile.option.specification, SharedOptions.bootstrap.specification] + RelayAccess.options + [
      every.specification, ExternalAddress.source.specification,
      RouterUpdates.listen.specification, RouterUpdates.passwordFile.specification, SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky publish my.zone --key my.key", "Publish once"),
      .init("pubky publish my.zone --key my.key --every 1h", "Keep it alive, and follow changes of the file"),
      .init("echo '@ A 203.0.113.7' | pubky publish - --key my.key", "Publish what another program writes"),
      .init("pubky publish my.zone --key my.key --relay https://relay.example --no-dht", "Where UDP is blocked"),
    ],
    action: { arguments, console in
      let keypair = try KeyFile.read(arguments, console)
      if arguments[RouterUpdates.listen] != nil, arguments[every] == nil {
        throw CommandError.usage(
          "--dyndns needs --every DURATION", advice: "Without it the command ends after publishing once.")
      }
      let router = try await RouterUpdates.start(arguments, for: keypair.publicKey, console)
      if let endpoint = router?.endpoint {
        console.note("A router may tell its address at http://\(endpoint)/nic/update")
      }
      let addresses = ExternalAddress(arguments, router: router)
      let zone = try await ZoneInput.read(
        arguments.required(ZoneInput.argument), for: keypair.publicKey, console, filling: addresses)
      // Whatever is wrong with the zone shall be said before the network is asked.
      PacketOutput.warnIfTooLargeForSome(try ZoneInput.sign(zone, by: keypair, timestamp: nil), console)
      let usesRelays = try RelayAccess.isWanted(arguments)
      if let interval = arguments[every] {
        let publisher = RepeatedPublisher(
          keypair: keypair, interval: interval, bootstrap: arguments.all(SharedOptions.bootstrap),
          relays: usesRelays ? RelayAccess.configuration(arguments) : nil, console: console,
          logger: LogOptions.logger(arguments), addresses: addresses)
        _ = try await Interruption.during(undone: nil) { try await publisher.run(zone) }
        console.note("Stopped. What is published stays on the network for some hours.")
      } else if usesRelays {
        try await onceWithRelays(zone, keypair, arguments, console)
      } else {
        try await once(zone, keypair, arguments, console)
      }
    })

  private static func onceWithRelays(
    _ zone: ZoneInput.Zone, _ keypair: Keypair, _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    let start = ContinuousClock.now
    let (packet, report) = try await RelayAccess.withClient(
      arguments, console, doing: "Looking for what is published", undone: "Nothing may have been published."
    ) { client, progress in
      let packet = try await RelayAccess.sign(zone, keypair, through: client, console)
      progress.update("Publishing")
      return (packet, await client.attemptToPublish(packet))
    }
    if case .failure(let error) = report.result { throw RelayAccess.explain(error, report) }
    try self.report(zone.name, packet, report, took: .now - start, next: nil, console)
    if console.isForPerson {
      let options = Network.options(arguments.all(SharedOptions.bootstrap)) + RelayAccess.words(arguments)
      try console.print(
        "", "Look it up with:", "    \(ProgramName.asTyped) resolve \(packet.publicKey.z32)\(options)")
    }
  }

  private static func once(
    _ zone: ZoneInput.Zone, _ keypair: Keypair, _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    let start = ContinuousClock.now
    let (packet, outcome) = try await Network.withClient(
      arguments, console, doing: "Looking for what is published", undone: "Nothing may have been published."
    ) { node, progress in
      let packet = try await sign(zone, keypair, through: node, console)
      progress.update("Publishing")
      return (packet, try await PacketExchange.publish(packet, through: node))
    }
    warn(outcome, bootstrap: arguments.all(SharedOptions.bootstrap), console)
    try report(zone, packet, outcome, took: .now - start, next: nil, console)
    if console.isForPerson {
      let options = Network.options(arguments.all(SharedOptions.bootstrap))
      try console.print(
        "", "Look it up with:", "    \(ProgramName.asTyped) resolve \(packet.publicKey.z32)\(options)")
    }
  }

  /// Signs a zone so that it is newer than what is published.
  static func sign(
    _ zone: ZoneInput.Zone, _ keypair: Keypair, through node: MainlineNode, _ console: Console
  ) async throws -> SignedPacket {
    let newest = try await PacketExchange.newest(of: keypair.publicKey, from: node)
    return try ZoneInput.sign(
      zone, by: keypair, timestamp: try PacketExchange.timestamp(toReplace: newest.seq, console))
  }

  // MARK: What became of it

  /// Says what was published. `next`: how long until the next time.
  static func report(
    _ zone: ZoneInput.Zone, _ packet: SignedPacket, _ outcome: PutOutcome, took: ContinuousClock.Duration,
    next: Duration?, _ console: Console
  ) throws(CommandError) {
    if console.isJSON {
      var fields =
        PacketOutput.fields(packet) + [
          .init("stored", JSON(outcome.stored)), .init("sent", JSON(outcome.sent)),
          .init("timeouts", JSON(outcome.timeouts)),
          .init(
            "rejections",
            .object(outcome.rejections.sorted { $0.key < $1.key }.map { .init(String($0.key), JSON($0.value)) })),
          .init("milliseconds", JSON(ResolveCommand.milliseconds(took))),
        ]
      if let next { fields.append(.init("next_seconds", JSON(next.components.seconds))) }
      return try console.print(json: .object(fields))
    }
    let again = next.map { "; again in \(DurationText.describe($0))" } ?? ""
    try console.print(
      "Published \(zone.name): \(PacketOutput.size(packet)), stored on \(NumberText.count(outcome.stored, "node")), "
        + "\(DurationText.describe(took))\(again)")
  }

  /// Says what was published through relays and the DHT, and who did not take it.
  static func report(
    _ what: String, _ packet: SignedPacket, _ report: PublishReport, took: ContinuousClock.Duration,
    next: Duration?, _ console: Console
  ) throws(CommandError) {
    for backend in report.backends {
      guard case .failure(let error) = backend.result else { continue }
      let reason = backend.relayError.map { "\($0)" } ?? "\(error)"
      console.warn("not_stored", "\(backend.target): \(reason.split(separator: "\n").first ?? "")")
    }
    if console.isJSON {
      let backends = report.backends.map { backend -> JSON in
        var fields: [JSON.Field] = [.init("target", .string(backend.target.word))]
        switch backend.result {
        case .success(let stored): fields.append(.init("stored", JSON(stored)))
        case .failure(let error): fields.append(.init("error", .string(backend.relayError?.name ?? error.name)))
        }
        return .object(fields)
      }
      var fields =
        PacketOutput.fields(packet) + [
          .init("stored", JSON(report.storedNodes)), .init("backends", .array(backends)),
          .init("milliseconds", JSON(ResolveCommand.milliseconds(took))),
        ]
      if let next { fields.append(.init("next_seconds", JSON(next.components.seconds))) }
      return try console.print(json: .object(fields))
    }
    let again = next.map { "; again in \(DurationText.describe($0))" } ?? ""
    let through = report.backends.filter { if case .success = $0.result { true } else { false } }
      .map { "\($0.target)" }.joined(separator: " and ")
    try console.print(
      "Published \(what): \(PacketOutput.size(packet)), stored on \(NumberText.count(report.storedNodes, "node")) through "
        + "\(through), \(DurationText.describe(took))\(again)")
  }

  /// Warns if a publication reached few nodes, or if some know better.
  static func warn(_ outcome: PutOutcome, bootstrap: [HostName], _ console: Console) {
    let isPublic = bootstrap.isEmpty || !bootstrap.allSatisfy(Network.isPrivate)
    if isPublic, outcome.stored < 10 {
      console.warn(
        "few_nodes", "only \(NumberText.count(outcome.stored, "node")) stored the packet; 10 are usual",
        advice: "Publish again in some minutes.")
    }
    if outcome.conflicts > 0 {
      console.warn("conflicts", "\(NumberText.count(outcome.conflicts, "node")) may hold a newer version")
    }
    if let count = outcome.rejections[205] {
      console.warn("large_packet", "\(NumberText.count(count, "node")) refused the packet because of its size")
    }
  }
}
