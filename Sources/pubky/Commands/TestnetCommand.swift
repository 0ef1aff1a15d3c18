import CommandLineTool
import EventLoops
import Mainline
import PlainText

/// `pubky testnet`
enum TestnetCommand {
  private static let nodes = Option<Int>(
    "nodes", short: "n", value: "N", "How many nodes (default: 10)", parse: SharedOptions.number(in: 1...500))
  private static let port = Option<UInt16>(
    "port", short: "p", value: "PORT", "The port of the first node; the others take those after it (default: any)",
    parse: SharedOptions.number(in: 1...65535))

  static let command: Command = .init(
    "testnet", "Run a private DHT on this machine",
    discussion: "Nodes on the loopback interface; nothing leaves this machine. It runs until Ctrl-C.",
    options: [nodes.specification, port.specification, SharedOptions.json.specification],
    examples: [
      .init("pubky testnet --port 6900", "Ten nodes from port 6900 on"),
      .init("pubky publish my.zone --key my.key --bootstrap 127.0.0.1:6900", "Publish there"),
    ],
    action: { arguments, console in
      let count = arguments[nodes] ?? 10
      let port = arguments[port]
      if let port, Int(port) + count - 1 > 65535 {
        throw CommandError.usage("--port: \(count) nodes from port \(port) on would go beyond 65535")
      }
      let logger = LogOptions.logger(arguments)
      _ = try await Interruption.during(undone: nil) {
        let testnet = try await start(count, firstPort: port)
        logger.notice(
          "testnet.started", ["nodes": JSON(count), "bootstrap": .string(testnet.bootstrap[0].description)])
        try announce(testnet, console)
        do { try await Interruption.wait() } catch {}
        await testnet.stop()
        logger.notice("testnet.stopped")
      }
      console.note("All nodes are stopped.")
    })

  /// Starts a network.
  ///
  /// - Throws: `CommandError` if a port is taken.
  static func start(_ count: Int, firstPort: UInt16?) async throws(CommandError) -> Testnet {
    do throws(SystemError) {
      return try await Testnet(nodes: count, firstPort: firstPort)
    } catch {
      if error.isAddressInUse, let firstPort {
        let last = UInt16(clamping: Int(firstPort) + count - 1)
        throw CommandError(
          "port_in_use", "one of the ports \(firstPort) to \(last) is taken by another program",
          advice: "Choose others with --port.", exitCode: .usage)
      }
      throw Network.socketError(error, port: nil)
    }
  }

  private static func announce(_ testnet: Testnet, _ console: Console) throws(CommandError) {
    let addresses = testnet.bootstrap.map(\.description)
    if console.isJSON {
      return try console.print(
        json: ["nodes": JSON(addresses.count), "bootstrap": .array(addresses.map { .string($0) })])
    }
    guard console.isForPerson else { return try console.print(addresses) }
    try console.print(
      "A private DHT of \(NumberText.count(addresses.count, "node")) (nothing leaves this machine):")
    try console.print(addresses.map { "    \($0)" })
    try console.print(
      "", "Use it with --bootstrap \(addresses[0]), for example:",
      "    \(ProgramName.asTyped) dht info --bootstrap \(addresses[0])", "Ctrl-C stops it.")
  }
}
