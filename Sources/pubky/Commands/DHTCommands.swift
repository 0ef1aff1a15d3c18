import CommandLineTool
import MainlineProtocol
import WireFormat

/// Commands about the DHT itself.
enum DHTCommands {
  static let group: Command = .init(
    group: "dht", "Run a DHT node, and ask others",
    discussion: """
      The Mainline DHT of BitTorrent (BEP 5) with its items (BEP 44), on which packets are kept. These commands are for \
      looking at it closely.
      """,
    [
      DHTNodeCommand.command, DHTInfoCommand.command, DHTPingCommand.command, DHTFindNodeCommand.command,
      DHTGetCommand.command, DHTPutCommand.command, DHTPeersCommand.command, DHTAnnounceCommand.command,
    ])

  /// Reads 40 hexadecimal digits.
  static func nodeID(_ text: String) throws(InvalidValue) -> NodeID {
    guard let id = NodeID(text) else {
      throw InvalidValue("\"\(text)\" is not 40 hexadecimal digits")
    }
    return id
  }

  /// Reads a salt: text as it stands, at most 64 bytes.
  static let salt = Option<[UInt8]>(
    "salt", value: "TEXT", "Tells several items of one key apart; at most 64 bytes",
    parse: { (text: String) throws(InvalidValue) in
      guard text.utf8.count <= ItemValue.maximumSaltByteCount else {
        throw InvalidValue("a salt has at most \(ItemValue.maximumSaltByteCount) bytes; this has \(text.utf8.count)")
      }
      return Array(text.utf8)
    })
}
