import Addresses
import CommandLineTool
import Mainline
import MainlineProtocol
import PlainText

/// `pubky dht peers`
enum DHTPeersCommand {
  static let infoHash = Argument<NodeID>("INFOHASH", "40 hexadecimal digits", parse: DHTCommands.nodeID)

  static let command: Command = .init(
    "peers", "Find peers of an info-hash (BEP 5)", arguments: [infoHash.specification],
    options: [SharedOptions.bootstrap.specification, SharedOptions.json.specification],
    examples: [.init("pubky dht peers 0123456789abcdef0123456789abcdef01234567", "Who has it?")],
    action: { arguments, console in
      let target = try arguments.required(infoHash)
      // Each peer is shown as soon as it is heard of.
      let (count, counts) = try await Network.withClient(
        arguments, console, doing: "Looking for peers", undone: "The lookup was not finished."
      ) { node, progress in
        var seen: Set<Endpoint> = []
        let lookup = node.getPeers(target)
        for try await peers in lookup {
          for peer in peers where seen.insert(peer).inserted {
            if console.isJSON {
              try console.print(json: ["peer": .string(peer.description)])
            } else {
              try console.print(peer.description)
            }
          }
          progress.update("Looking for peers: \(seen.count) so far")
        }
        return (seen.count, try await lookup.outcome())
      }
      guard count == 0 else { return }
      if counts.responded == 0 { throw Network.noNodes(arguments.all(SharedOptions.bootstrap)) }
      throw CommandError.notFound(
        "nobody has announced \(target)",
        details: ["Asked \(NumberText.count(counts.queried, "node")); \(counts.responded) answered."])
    })
}
