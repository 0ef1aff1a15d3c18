import Addresses
import CommandLineTool
import EventLoops
import Mainline
import MainlineProtocol
import PlainText

/// `pubky dht ping`
enum DHTPingCommand {
  private static let host = Argument<HostName>(
    "HOST:PORT", "The node to ask", parse: SharedOptions.bootstrap.parse)

  static let command: Command = .init(
    "ping", "Ask whether a node is there", arguments: [host.specification],
    options: [SharedOptions.json.specification],
    examples: [.init("pubky dht ping router.bittorrent.com:6881", "Is the router up?")],
    action: { arguments, console in
      let host = try arguments.required(host)
      var configuration = Network.clientConfiguration([host])
      configuration.bootstrap = []
      let answer = try await Network.withNode(
        configuration, arguments, console, doing: "Asking \(host)", undone: "No answer came until now."
      ) { node, _ in
        try await ping(host, from: node)
      }
      try report(answer, console)
    })

  private struct Answer: Sendable {
    var endpoint: Endpoint
    var outcome: PingOutcome
  }

  private static func ping(_ host: HostName, from node: MainlineNode) async throws -> Answer {
    let endpoints: [Endpoint]
    do {
      endpoints = try await HostResolver.resolve(host)
    } catch let failure as HostResolver.Failure {
      throw CommandError.notFound("\(host.host) has no address", details: ["\(failure)"], advice: "Is the name right?")
    }
    let families = Set(node.localEndpoints.map(\.family))
    for endpoint in endpoints where families.contains(endpoint.family) {
      do throws(QueryFailure) {
        return Answer(endpoint: endpoint, outcome: try await node.ping(endpoint))
      } catch {
        if error == .cancelled { throw CancellationError() }
      }
    }
    throw CommandError.notFound(
      "\(host) did not answer", details: ["Asked \(endpoints.map(\.description).joined(separator: ", "))"],
      advice: "No node runs there, or a firewall blocks UDP.")
  }

  private static func report(_ answer: Answer, _ console: Console) throws(CommandError) {
    let outcome = answer.outcome
    let version = outcome.version.map(versionText)
    if console.isJSON {
      return try console.print(
        json: [
          "endpoint": .string(answer.endpoint.description), "id": .string(outcome.id.description),
          "microseconds": JSON(microseconds(outcome.roundTrip)), "version": version.map { .string($0) } ?? .null,
          "observed": outcome.observedEndpoint.map { .string($0.description) } ?? .null,
        ])
    }
    try console.print("\(answer.endpoint) answered in \(DurationText.describe(outcome.roundTrip))")
    try console.print("Id         \(outcome.id)")
    if let version { try console.print("Version    \(version)") }
    if let observed = outcome.observedEndpoint { try console.print("Sees us    at \(observed)") }
  }

  /// `LT 1.2`, or hexadecimal if it is not two letters and two numbers (BEP 20).
  static func versionText(_ version: [UInt8]) -> String {
    let letters = version.prefix(2)
    guard version.count == 4, letters.allSatisfy({ (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) }) else {
      return version.map { String($0, radix: 16) }.joined(separator: " ")
    }
    return "\(String(decoding: letters, as: UTF8.self)) \(version[2]).\(version[3])"
  }

  static func microseconds(_ duration: Duration) -> Int64 {
    duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
  }
}
