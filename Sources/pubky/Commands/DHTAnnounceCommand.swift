import CommandLineTool
import Mainline
import MainlineProtocol
import PlainText

/// `pubky dht announce`
enum DHTAnnounceCommand {
  private static let port = Option<UInt16>(
    "port", short: "p", value: "PORT", "The port on which this machine is to be reached",
    parse: SharedOptions.number(in: 1...65535))

  static let command: Command = .init(
    "announce", "Announce this machine as a peer of an info-hash (BEP 5)",
    arguments: [DHTPeersCommand.infoHash.specification],
    options: [port.specification, SharedOptions.bootstrap.specification, SharedOptions.json.specification],
    examples: [.init("pubky dht announce 0123456789abcdef0123456789abcdef01234567 --port 6881", "Say: I have it")],
    action: { arguments, console in
      let target = try arguments.required(DHTPeersCommand.infoHash)
      let port = try arguments.required(port)
      let outcome = try await Network.withClient(
        arguments, console, doing: "Announcing", undone: "It may not have been announced."
      ) { node, _ in try await node.announcePeer(target, port: port) }
      if console.isJSON {
        try console.print(
          json: ["target": .string(target.description), "stored": JSON(outcome.stored), "sent": JSON(outcome.sent)])
      } else {
        try console.print(
          "Announced port \(port) at \(NumberText.count(outcome.stored, "node")), "
            + DurationText.describe(outcome.duration))
      }
    })
}
