import CommandLineTool
import EventLoops
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PlainText

/// `pubky resolve`
enum ResolveCommand {
  private static let name = Argument(
    "NAME", required: false, "Only records of this name: www, @ for the key itself, *.www for all one below")
  private static let type = Argument<RecordType>(
    "TYPE", required: false, "Only records of this type: A, TXT, HTTPS, TYPE65",
    parse: { (text: String) throws(InvalidValue) in
      guard let type = RecordType(text) else { throw InvalidValue("\"\(text)\" is not a record type") }
      return type
    })
  private static let watch = Flag("watch", short: "w", "Go on, and show each newer version")
  private static let interval = Option<Duration>(
    "every", value: "DURATION", "How often to look with --watch (default: 30s)",
    parse: SharedOptions.duration(atLeast: .seconds(1)))

  private static let policy = Option<ResolvePolicy>(
    "policy", value: "POLICY",
    "NetworkOnly: the newest of all (default); CacheFirst: the first that is fresh; CacheOnly: what relays have cached")

  private static let timings = Flag(
    "timings", "Look it up three times, cold, from the cache and at the whole network, and tell how long each takes")

  static let command: Command = .init(
    "resolve", "Look up the records of a key",
    discussion: """
      Asks all nodes that may hold the records and takes the newest version. The signature is verified: nobody but the \
      owner of the key can have made them.
      """,
    arguments: [KeyArgument.argument.specification, name.specification, type.specification],
    options: [SharedOptions.bootstrap.specification] + RelayAccess.options + [
      policy.specification, watch.specification, interval.specification, timings.specification,
      SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky resolve 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo", "All records"),
      .init("pubky resolve 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo www A", "The addresses of www"),
    ],
    action: { arguments, console in
      let question = Question(
        key: try arguments.required(KeyArgument.argument), name: arguments[name], type: arguments[type],
        bootstrap: arguments.all(SharedOptions.bootstrap))
      let usesClient = try RelayAccess.isWanted(arguments) || arguments[policy] != nil
      if arguments[timings] {
        guard !arguments[watch], arguments[policy] == nil, question.name == nil else {
          throw CommandError.usage("--timings excludes NAME, --watch and --policy")
        }
        try await LookupTimings.run(question.key, arguments, console)
      } else if arguments[watch] {
        if arguments[policy] != nil { throw CommandError.usage("--watch asks the whole network; leave out --policy") }
        let watch = ResolveWatch(
          question: question, interval: arguments[interval] ?? .seconds(30),
          relays: usesClient ? RelayAccess.configuration(arguments) : nil, console: console,
          logger: LogOptions.logger(arguments))
        _ = try await Interruption.during(undone: nil) { try await watch.run() }
      } else if arguments[interval] != nil {
        throw CommandError.usage("--every needs --watch")
      } else if usesClient {
        try await onceWithClient(question, arguments[policy] ?? .networkOnly, arguments, console)
      } else {
        try await once(question, arguments, console)
      }
    })

  private static func onceWithClient(
    _ question: Question, _ policy: ResolvePolicy, _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    let resolution = try await RelayAccess.withClient(
      arguments, console, doing: "Looking for \(question.key.z32)", undone: "The lookup was not finished."
    ) { client, _ in
      do throws(ResolveFailure) {
        return try await client.resolution(of: question.key, policy: policy)
      } catch {
        throw RelayAccess.explain(error, question.key)
      }
    }
    try show(PacketExchange.Found(resolution), question, console, mustMatch: true)
  }

  /// What a person asks.
  struct Question: Sendable {
    var key: PublicKey
    var name: String?
    var type: RecordType?
    var bootstrap: [HostName]

    func records(of packet: SignedPacket) -> [ResourceRecord] {
      let named = name.map { packet.records(named: $0) } ?? packet.records
      return type.map { type in named.filter { $0.type == type } } ?? named
    }

    /// `no A record at www`
    var missing: String {
      let kind = type.map { "no \($0) record" } ?? "no record"
      return name.map { "\(kind) at \($0)" } ?? kind
    }
  }

  // MARK: Once

  private static func once(
    _ question: Question, _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    let newest = try await Network.withClient(
      arguments, console, doing: "Looking for \(question.key.z32)", undone: "The lookup was not finished."
    ) { node, _ in try await PacketExchange.newest(of: question.key, from: node) }
    switch newest {
    case .packet(let found): try show(found, question, console, mustMatch: true)
    case .invalid(let seq, let error): throw invalid(question, seq, error)
    case .nothing(let counts):
      throw CommandError.notFound(
        "nothing is published under \(question.key.z32)",
        details: [
          "Asked \(NumberText.count(counts.queried, "node")); \(counts.responded) answered, none of them has it."
        ],
        advice: "Nodes forget after some hours what is not published again.")
    }
  }

  static func invalid(_ question: Question, _ seq: Int64, _ error: SignedPacketError?) -> CommandError {
    CommandError(
      "invalid_packet", "what is published under \(question.key.z32) is no signed packet",
      details: ["Version \(seq) is signed by the key, but \(error.map { "\($0)" } ?? "its value is no byte string")."],
      advice: "Only the owner of the key can put that right, by publishing again.", exitCode: .refused)
  }

  static func show(
    _ found: PacketExchange.Found, _ question: Question, _ console: Console, mustMatch: Bool
  ) throws(CommandError) {
    let packet = found.packet
    let records = question.records(of: packet)
    if records.isEmpty, mustMatch, question.name != nil || question.type != nil {
      throw .notFound(
        question.missing,
        details: [
          "The key is published, with \(NumberText.count(packet.recordCount, "record")). See them all with:",
          "\(ProgramName.asTyped) resolve \(packet.publicKey.z32)\(Network.options(question.bootstrap))",
        ])
    }
    if console.isJSON {
      return try console.print(json: .object(fields(found, records)))
    }
    if console.isForPerson {
      try console.print(
        console.style.bold(packet.publicKey.z32),
        "\(PacketOutput.size(packet)), signed \(PacketOutput.age(packet)), \(console.style.green("signature verified")), "
          + copies(found),
        "From \(found.source), \(validity(found))")
      if let report = found.report, !report.isAgreed { try console.print("But \(report)") }
      try console.print("")
    }
    try console.print(PacketOutput.table(records, in: packet.publicKey))
  }

  /// `newest of 19 copies, 6 ms`
  private static func copies(_ found: PacketExchange.Found) -> String {
    guard let counts = found.counts, counts.values > 0 else { return "the newest that was found" }
    return "newest of \(NumberText.count(counts.values, "copy", "copies")), \(DurationText.describe(counts.duration))"
  }

  /// Until when a packet may be used.
  private static func validity(_ found: PacketExchange.Found) -> String {
    let seen = DurationText.relative(.seconds(-Int64(clamping: found.packet.elapsed())))
    if found.isStale { return "seen \(seen): it has expired, and the network could not be asked" }
    return "seen \(seen), good for \(DurationText.describe(.seconds(Int64(found.packet.expiresIn().seconds))))"
  }

  private static func fields(_ found: PacketExchange.Found, _ records: [ResourceRecord]) -> [JSON.Field] {
    var fields = PacketOutput.fields(found.packet, records: records)
    if let counts = found.counts {
      fields += [
        .init("copies", JSON(counts.holdersOfNewest)), .init("queried", JSON(counts.queried)),
        .init("responded", JSON(counts.responded)), .init("milliseconds", JSON(milliseconds(counts.duration))),
      ]
    }
    fields += [
      .init("source", .string(found.source.word)), .init("age_seconds", JSON(found.packet.elapsed())),
      .init("expires_in_seconds", JSON(found.packet.expiresIn().seconds)), .init("stale", .bool(found.isStale)),
    ]
    if let report = found.report {
      fields.append(.init("relays_behind", .array(report.relaysBehind.map { .string($0.description) })))
      fields.append(.init("nodes_behind", JSON(report.nodesServingOlder)))
    }
    return fields
  }

  static func milliseconds(_ duration: Duration) -> Int64 {
    duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
  }
}
