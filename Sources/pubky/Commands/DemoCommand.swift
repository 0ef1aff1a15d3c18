import CommandLineTool
import EventLoops
import Mainline
import MainlineProtocol
import Pkarr
import PlainText

/// `pubky demo`: the first five minutes.
enum DemoCommand {
  private static let nodeCount = 20
  /// Nodes forget after hours; the demonstration may stay up longer.
  private static let republishInterval = Duration.seconds(1800)
  private static let zone = Argument(
    "ZONE", required: false, completion: .file, "A zone file (default: examples/zone)")

  static let command: Command = .init(
    "demo", "Show all of it on a private DHT: make a key, publish, resolve",
    discussion: "Starts a network on this machine, publishes a zone file there and looks it up. It runs until Ctrl-C.",
    arguments: [zone.specification], examples: [.init("pubky demo", "See it work")],
    action: { arguments, console in
      let path = arguments[zone] ?? "examples/zone"
      if arguments[zone] == nil, !KeyFile.exists(path) {
        throw CommandError.input("there is no \(path) here", advice: "Name a zone file of yours: pubky demo my.zone")
      }
      let keyPath = KeyFile.configurationFolder + "/demo.key"
      let (keypair, isNew) = try key(keyPath, console)
      let zone = try ZoneInput.read(path, for: keypair.publicKey, console)
      _ = try ZoneInput.sign(zone, by: keypair, timestamp: nil)
      _ = try await Interruption.during(undone: nil) {
        try await run(zone, keypair, keyPath, isNew: isNew, console)
      }
      try console.print("", "  All is stopped. Your key stays in \(KeyFile.display(keyPath)).")
    })

  private static func key(_ path: String, _ console: Console) throws(CommandError) -> (Keypair, isNew: Bool) {
    do throws(CommandError) {
      return (try KeyFile.read(path, console), false)
    } catch {
      guard !KeyFile.exists(path) else { throw error }
    }
    try NewFile.makeFolders(above: path)
    let keypair = Keypair()
    try KeyFile.create(path, keypair)
    return (keypair, true)
  }

  private static func run(
    _ zone: ZoneInput.Zone, _ keypair: Keypair, _ keyPath: String, isNew: Bool, _ console: Console
  ) async throws {
    let style = console.style
    func step(_ what: String, _ result: String) throws(CommandError) {
      try console.print("  " + what + String(repeating: " ", count: max(1, 33 - what.count)) + result)
    }
    let testnet = try await startNetwork()
    let entrance = testnet.bootstrap[0]
    let key = keypair.publicKey
    try console.print("")
    try step("A private DHT of \(nodeCount) nodes", "\(entrance) … (nothing leaves this machine)")
    try step("Your key", style.bold(key.z32))
    try step("", "\(KeyFile.display(keyPath)) (\(isNew ? "new; " : "")keep it secret)")

    let publisher = try await Network.start(Network.clientConfiguration([entrance]))
    let begin = ContinuousClock.now
    let packet = try await PublishCommand.sign(zone, keypair, through: publisher, console)
    let outcome = try await PacketExchange.publish(packet, through: publisher)
    try step(
      "Published \(zone.name)",
      "\(PacketOutput.size(packet)), stored on \(NumberText.count(outcome.stored, "node")), "
        + DurationText.describe(.now - begin))

    let reader = try await Network.start(Network.clientConfiguration([testnet.bootstrap[nodeCount / 2]]))
    guard case .packet(let found) = try await PacketExchange.newest(of: key, from: reader),
      found.packet.isSame(as: packet)
    else {
      throw CommandError("demo", "what was published was not found again", exitCode: .refused)
    }
    try? await reader.shutdown()
    try step(
      "Resolved from another node",
      "\(DurationText.describe(found.counts?.duration ?? .zero)), \(style.green("signature verified")), "
        + "newest of \(NumberText.count(found.counts?.values ?? 0, "copy", "copies"))")
    try console.print("")
    try console.print(PacketOutput.table(found.packet.records, in: key).lines(style: style, indent: 6))
    try console.print(suggestions(key, zone, keyPath, entrance))
    await stayUp(packet, publisher)
    try? await publisher.shutdown()
    await testnet.stop()
  }

  /// Port 6881 and those after it if they are free, else any.
  private static func startNetwork() async throws(CommandError) -> Testnet {
    do throws(CommandError) {
      return try await TestnetCommand.start(nodeCount, firstPort: MainlineConfiguration.defaultPort)
    } catch {
      return try await TestnetCommand.start(nodeCount, firstPort: nil)
    }
  }

  /// Lines that work as they are printed, from another terminal in the same folder.
  private static func suggestions(
    _ key: PublicKey, _ zone: ZoneInput.Zone, _ keyPath: String, _ entrance: HostName
  ) -> [String] {
    let program = ProgramName.asTyped
    let network = "--bootstrap \(entrance)"
    let file = ProgramName.quoted(zone.path)
    return [
      "", "  Try, from another terminal:",
      "      \(program) resolve \(key.z32) \(network)",
      "      \(program) publish \(file) --key \(ProgramName.quoted(KeyFile.display(keyPath))) \(network)",
      "      \(program) dht info \(network)",
      "  Ctrl-C stops everything.",
    ]
  }

  private static func stayUp(_ packet: SignedPacket, _ node: MainlineNode) async {
    while (try? await Task.sleep(for: republishInterval)) != nil {
      // A newer packet may have been published by hand: then this one is refused, as it should be.
      _ = try? await PacketExchange.publish(packet, through: node)
    }
  }
}
