import CommandLineTool
import Cryptography
import Mainline
import MainlineProtocol
import Pkarr
import PlainText

/// `pubky dht put`
enum DHTPutCommand {
  private static let value = Argument("VALUE", "The text to store, or - for standard input; at most 1000 bytes")
  private static let key = Option(
    "key", short: "k", value: "FILE", completion: .file, "Store a mutable item, signed with the key in this file")
  private static let seq = Option<Int64>(
    "seq", value: "NUMBER", "The version of a mutable item (default: one more than what is stored)",
    parse: SharedOptions.number(in: 1...Int64.max))
  private static let cas = Option<Int64>(
    "cas", value: "NUMBER", "Store only where this version is stored now",
    parse: SharedOptions.number(in: 0...Int64.max))

  static let command: Command = .init(
    "put", "Store an item (BEP 44)",
    discussion: "Without a key the item is immutable, and its target, the SHA-1 of the value, is how others find it.",
    arguments: [value.specification],
    options: [
      key.specification, DHTCommands.salt.specification, seq.specification, cas.specification,
      SharedOptions.bootstrap.specification, SharedOptions.json.specification,
    ],
    examples: [.init("pubky dht put 'Hello World!'", "Store a text that nobody can change")],
    action: { arguments, console in
      let bytes = try read(arguments)
      if let path = arguments[key] {
        try await mutable(bytes, try KeyFile.read(path, console), arguments, console)
      } else {
        for (name, given) in [
          ("salt", arguments[DHTCommands.salt] != nil), ("seq", arguments[seq] != nil), ("cas", arguments[cas] != nil),
        ] where given {
          throw CommandError.usage("--\(name) is for mutable items", advice: "Name the key that signs with --key FILE.")
        }
        try await immutable(bytes, arguments, console)
      }
    })

  private static func read(_ arguments: ParsedArguments) throws(CommandError) -> [UInt8] {
    let text = try arguments.required(value)
    let limit = ItemValue.maximumByteCount
    let bytes = text == "-" ? try InputFile.read("-", limit: limit, what: "an item").bytes : Array(text.utf8)
    guard bytes.count <= limit else {
      throw .input("VALUE: an item has at most \(limit) bytes; this has \(bytes.count)")
    }
    return bytes
  }

  private static func warnIfTooLargeForSome(_ bytes: [UInt8], _ console: Console) {
    if bytes.count > ItemValue.universalByteCount {
      console.warn(
        "large_item", "the value has \(bytes.count) bytes; nodes of libtorrent take \(ItemValue.universalByteCount)")
    }
  }

  private static func immutable(_ bytes: [UInt8], _ arguments: ParsedArguments, _ console: Console) async throws {
    let item: ImmutableItem
    do { item = try ImmutableItem(bytes: bytes) } catch { throw CommandError.input("VALUE: \(error)") }
    warnIfTooLargeForSome(bytes, console)
    let outcome = try await Network.withClient(
      arguments, console, doing: "Storing", undone: "It may not have been stored."
    ) { node, _ in try await node.putImmutable(item) }
    try report(outcome, seq: nil, console)
  }

  private static func mutable(
    _ bytes: [UInt8], _ keypair: Keypair, _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    warnIfTooLargeForSome(bytes, console)
    let salt = arguments[DHTCommands.salt] ?? []
    let given = arguments[seq]
    var options = PutOptions()
    options.cas = arguments[cas]
    let (outcome, seq) = try await Network.withClient(
      arguments, console, doing: "Storing", undone: "It may not have been stored."
    ) { [options] node, _ in
      let seq: Int64
      if let given {
        seq = given
      } else {
        let (stored, counts) = try await node.getMutable(key: keypair.publicKey.verificationKey, salt: salt).outcome()
        let highest = max(stored?.seq ?? 0, counts.highestReportedSeq ?? 0)
        guard highest < .max else { throw CommandError.input("the stored version is the highest there is") }
        seq = highest + 1
      }
      let item: MutableItem
      do {
        item = try MutableItem(signedBy: keypair.secretKey, seq: seq, bytes: bytes, salt: salt)
      } catch {
        throw CommandError.input("VALUE: \(error)")
      }
      return (try await node.putMutable(item, options: options), seq)
    }
    try report(outcome, seq: seq, console)
  }

  private static func report(_ outcome: PutOutcome, seq: Int64?, _ console: Console) throws(CommandError) {
    if console.isJSON {
      var fields: [JSON.Field] = [.init("target", .string(outcome.target.description))]
      if let seq { fields.append(.init("seq", JSON(seq))) }
      fields += [
        .init("stored", JSON(outcome.stored)), .init("sent", JSON(outcome.sent)),
        .init("timeouts", JSON(outcome.timeouts)),
      ]
      return try console.print(json: .object(fields))
    }
    console.note(
      "Stored on \(NumberText.count(outcome.stored, "node"))" + (seq.map { " as version \($0)" } ?? "") + ", "
        + DurationText.describe(outcome.duration))
    try console.print(outcome.target.description)
  }
}
