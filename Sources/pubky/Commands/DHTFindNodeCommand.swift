import CommandLineTool
import Mainline
import MainlineProtocol
import PlainText

/// `pubky dht find-node`
enum DHTFindNodeCommand {
  private static let id = Argument<NodeID>(
    "ID", "A node id or target: 40 hexadecimal digits", parse: DHTCommands.nodeID)

  static let command: Command = .init(
    "find-node", "Find the nodes closest to an id", arguments: [id.specification],
    options: [SharedOptions.bootstrap.specification, SharedOptions.json.specification],
    examples: [.init("pubky dht find-node 0123456789abcdef0123456789abcdef01234567", "The 20 closest nodes")],
    action: { arguments, console in
      let target = try arguments.required(id)
      let outcome = try await Network.withClient(
        arguments, console, doing: "Looking for nodes", undone: "The lookup was not finished."
      ) { node, _ in try await node.findNode(target) }
      if outcome.nodes.isEmpty {
        throw CommandError.notFound("no node was found", details: ["Asked \(outcome.counts.queried)"])
      }
      var table = Table(["distance", "id", "endpoint", "answered", "secure id"], alignments: [.right])
      for found in outcome.nodes {
        let distance = target.bucketDistance(to: found.contact.id)
        if console.isJSON {
          try console.print(
            json: [
              "id": .string(found.contact.id.description), "endpoint": .string(found.contact.endpoint.description),
              "distance": JSON(distance), "responded": .bool(found.responded), "secure": .bool(found.isSecure),
            ])
        } else {
          table.add([
            String(distance), found.contact.id.description, found.contact.endpoint.description,
            found.responded ? "yes" : "no", found.isSecure ? "yes" : "no",
          ])
        }
      }
      if !console.isJSON { try console.print(table) }
    })
}
