import CommandLineTool
import Mainline
import MainlineProtocol
import Pkarr
import PlainText
import WireFormat

/// `pubky dht get`
enum DHTGetCommand {
  /// What is asked for.
  enum Target: Sendable {
    case immutable(NodeID)
    case mutable(PublicKey)
  }

  private static let target = Argument<Target>(
    "TARGET", "40 hexadecimal digits for an immutable item, or a public key for a mutable one",
    parse: { (text: String) throws(InvalidValue) in
      if let id = NodeID(text) { return .immutable(id) }
      return .mutable(try KeyArgument.parse(text))
    })

  static let command: Command = .init(
    "get", "Fetch an item (BEP 44)", discussion: "The value is written as it is stored: bencoded.",
    arguments: [target.specification],
    options: [
      DHTCommands.salt.specification, SharedOptions.bootstrap.specification, SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky dht get e5f96f6f38320f0f33959cb4d3d656452117aadb", "The text 'Hello World!', found by its SHA-1")
    ],
    action: { arguments, console in
      let salt = arguments[DHTCommands.salt] ?? []
      switch try arguments.required(target) {
      case .immutable(let id):
        if !salt.isEmpty { throw CommandError.usage("--salt is for mutable items, which a public key names") }
        try await immutable(id, arguments, console)
      case .mutable(let key): try await mutable(key, salt, arguments, console)
      }
    })

  private static func immutable(_ id: NodeID, _ arguments: ParsedArguments, _ console: Console) async throws {
    let (item, counts) = try await Network.withClient(
      arguments, console, doing: "Looking for \(id)", undone: "The lookup was not finished."
    ) { node, _ in try await node.getImmutableDetailed(id) }
    guard let item else { throw missing(id, counts, arguments) }
    if console.isJSON {
      try console.print(json: ["target": .string(id.description), "value": .string(Hex.encode(item.value))])
    } else {
      try console.print(text(item.value))
    }
  }

  private static func mutable(
    _ key: PublicKey, _ salt: [UInt8], _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    let (item, counts) = try await Network.withClient(
      arguments, console, doing: "Looking for \(key.z32)", undone: "The lookup was not finished."
    ) { node, _ in try await node.getMutable(key: key.verificationKey, salt: salt).outcome() }
    let target = MutableItem.target(of: key.verificationKey, salt: salt)
    guard let item else { throw missing(target, counts, arguments) }
    if console.isJSON {
      return try console.print(
        json: [
          "target": .string(target.description), "key": .string(key.z32), "salt": .string(Hex.encode(salt)),
          "seq": JSON(item.seq), "value": .string(Hex.encode(item.value)),
          "signature": .string(Hex.encode(item.signature.bytes)), "copies": JSON(counts.holdersOfNewest),
        ])
    }
    if console.isForPerson {
      try console.print("seq \(item.seq), \(NumberText.count(counts.holdersOfNewest, "copy", "copies"))")
    }
    try console.print(text(item.value))
  }

  private static func missing(
    _ target: NodeID, _ counts: GetOutcome, _ arguments: ParsedArguments
  ) -> CommandError {
    if counts.responded == 0 { return Network.noNodes(arguments.all(SharedOptions.bootstrap)) }
    return .notFound(
      "nobody has \(target)",
      details: ["Asked \(NumberText.count(counts.queried, "node")); \(counts.responded) answered."])
  }

  /// Bencoded bytes as text if they are, with control characters spelled out; else in hexadecimal.
  private static func text(_ value: [UInt8]) -> String {
    String(validating: value, as: UTF8.self).map(ControlCharacters.escape) ?? Hex.encode(value)
  }
}
