import CommandLineTool
import Pkarr
import PlainText
import WireFormat

/// `pubky packet sign`
enum PacketSignCommand {
  private static let timestamp = Option<UInt64>(
    "timestamp", value: "MICROSECONDS", "The version: microseconds since 1970 (default: now)",
    parse: SharedOptions.number(in: 0...UInt64.max))
  private static let relayPayload = Flag("relay-payload", "Write the form for relays, which leaves out the key")

  static let command: Command = .init(
    "sign", "Sign a zone file and write the packet in hexadecimal", arguments: [ZoneInput.argument.specification],
    options: [
      KeyFile.option.specification, timestamp.specification, relayPayload.specification,
      SharedOptions.json.specification,
    ],
    examples: [.init("pubky packet sign my.zone --key my.key", "Sign, publish nothing")],
    action: { arguments, console in try run(arguments, console) })

  private static func run(_ arguments: ParsedArguments, _ console: Console) throws(CommandError) {
    let keypair = try KeyFile.read(arguments, console)
    let zone = try ZoneInput.read(arguments.required(ZoneInput.argument), for: keypair.publicKey, console)
    let packet = try ZoneInput.sign(
      zone, by: keypair, timestamp: arguments[timestamp].map { Timestamp(microseconds: $0) })
    PacketOutput.warnIfTooLargeForSome(packet, console)
    if !packet.timestamp.isPublishable {
      console.warn("timestamp", "the timestamp \(packet.timestamp.microseconds) cannot be published on the DHT")
    }
    if console.isJSON {
      var fields = PacketOutput.fields(packet)
      if arguments[relayPayload] { fields.append(.init("relay_payload", .string(Hex.encode(packet.relayPayload)))) }
      try console.print(json: .object(fields))
    } else {
      try console.print(Hex.encode(arguments[relayPayload] ? packet.relayPayload : packet.bytes))
    }
  }
}
