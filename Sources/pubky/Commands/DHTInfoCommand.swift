import CommandLineTool
import Mainline
import MainlineProtocol
import PlainText

/// `pubky dht info`
enum DHTInfoCommand {
  static let command: Command = .init(
    "info", "Join the DHT and tell what it looks like from here",
    options: [SharedOptions.bootstrap.specification, SharedOptions.json.specification],
    examples: [.init("pubky dht info", "How large is the network, and how does it see this machine?")],
    action: { arguments, console in
      let bootstrap = arguments.all(SharedOptions.bootstrap)
      let info = try await Network.withClient(
        arguments, console, doing: "Joining the DHT", undone: "The network was not reached until now."
      ) { node, _ in
        guard await node.bootstrapped(), let info = await node.info() else {
          try Task.checkCancellation()
          throw Network.noNodes(bootstrap)
        }
        return info
      }
      if console.isJSON {
        try console.print(json: NodeReport.json(info))
      } else {
        try console.print(NodeReport.lines(info))
      }
    })
}
