import CommandLineTool
import EventLoops
import Logging
import Mainline
import MainlineProtocol
import Pkarr
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

  static let command: Command = .init(
    "resolve", "Look up the records of a key",
    discussion: """
      Asks all nodes that may hold the records and takes the newest version. The signature is verified: nobody but the \
      owner of the key can have made them.
      """,
    arguments: [KeyArgument.argument.specification, name.specification, type.specification],
    options: [
      SharedOptions.bootstrap.specification, watch.specification, interval.specification,
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
      if arguments[watch] {
        let watch = ResolveWatch(
          question: question, interval: arguments[interval] ?? .seconds(30),
          console: console, logger: LogOptions.logger(arguments))
        _ = try await Interruption.during(undone: nil) { try await watch.run() }
      } else if arguments[interval] != nil {
        throw CommandError.usage("--every needs --watch")
      } else {
        try await once(question, arguments, console)
      }
    })

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
      let counts = found.counts
      let fields =
        PacketOutput.fields(packet, records: records) + [
          .init("copies", JSON(counts.holdersOfNewest)), .init("queried", JSON(counts.queried)),
          .init("responded", JSON(counts.responded)), .init("milliseconds", JSON(milliseconds(counts.duration))),
        ]
      return try console.print(json: .object(fields))
    }
    if console.isForPerson {
      try console.print(
        console.style.bold(packet.publicKey.z32),
        "\(PacketOutput.size(packet)), signed \(PacketOutput.age(packet)), \(console.style.green("signature verified")), "
          + "newest of \(NumberText.count(found.counts.values, "copy", "copies")), "
          + DurationText.describe(found.counts.duration),
        "")
    }
    try console.print(PacketOutput.table(records, in: packet.publicKey))
  }

  static func milliseconds(_ duration: Duration) -> Int64 {
    duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
  }
}
