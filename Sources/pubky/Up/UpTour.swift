import CommandLineTool
import Pkarr
import PkarrClient
import PlainText

/// What `pubky up` tells: what runs where, what became of the sample, and what can be done next.
struct UpTour: Sendable {
  let stand: UpStand
  let sample: UpSample
  let console: Console

  private var key: PublicKey { sample.keypair.publicKey }
  /// The web app as it shows the sample key.
  private var page: String { "\(stand.url)/?pk=\(key.z32)" }

  private func step(_ what: String, _ result: String) throws(CommandError) {
    try console.print("  " + what + String(repeating: " ", count: max(1, 33 - what.count)) + result)
  }

  /// Says what runs, as soon as it does.
  func announce() throws(CommandError) {
    let nodes = stand.relay.nodeEndpoints.map(\.description)
    if console.isJSON {
      return try console.print(
        json: [
          "url": .string(stand.url), "page": .string(page), "key": .string(key.z32), "file": .string(sample.keyPath),
          "zone": .string(sample.zone.name),
          "endpoints": .array(stand.relay.localEndpoints.map { .string($0.description) }),
          "dht": .array(nodes.map { .string($0) }),
          "bootstrap": .array(stand.entrances.map { .string($0.description) }),
        ])
    }
    try console.print("")
    if stand.testnet != nil {
      let reason = stand.hasOtherPorts ? "ports from 6881 on are taken; " : ""
      try step(
        "A private DHT of \(UpStand.nodeCount) nodes",
        "\(stand.entrances[0]) … (\(reason)nothing leaves this machine)")
    } else {
      try step("A node in \(stand.entrances.isEmpty ? "the public" : "that") DHT", nodes.joined(separator: " and "))
    }
    try step("A relay with the web app", console.style.bold(stand.url))
    try step("A sample key", console.style.bold(key.z32))
    try step("", "\(KeyFile.display(sample.keyPath)) (\(sample.isNew ? "new; " : "")keep it secret)")
  }

  /// Tells of the first publication, reads it through the relay, and says what to try.
  ///
  /// - Throws: `CommandError` if the relay does not find what was published.
  func show(_ publication: RepeatedPublisher.Publication, _ interval: Duration) async throws {
    if console.isJSON { return try report(publication, interval) }
    try step(
      "Published its zone",
      "\(PacketOutput.size(publication.packet)), stored on "
        + "\(NumberText.count(publication.outcome.stored, "node")), \(DurationText.describe(publication.took))")
    try step(
      "", "\(KeyFile.display(sample.zone.name))\(sample.zone.path == "-" ? "" : " (save a change to publish it)")")
    do {
      let took = try await readThroughRelay()
      try step(
        "Resolved through the relay",
        "\(DurationText.describe(took)), \(console.style.green("signature verified"))")
    } catch let error as CommandError where stand.testnet == nil {
      // The relay's node may still be on its way into a large network.
      try step("Not yet seen by the relay", error.message)
    }
    try console.print("")
    try console.print(PacketOutput.table(publication.packet.records, in: key).lines(style: console.style, indent: 6))
    try console.print(suggestions)
  }

  /// Tells of a publication after the first: a person only if it is another packet or the file has changed.
  func showAgain(_ publication: RepeatedPublisher.Publication, _ interval: Duration) throws(CommandError) {
    if console.isJSON || publication.isChanged { try report(publication, interval) }
  }

  private func report(_ publication: RepeatedPublisher.Publication, _ interval: Duration) throws(CommandError) {
    try PublishCommand.report(
      publication.zone, publication.packet, publication.outcome, took: publication.took, next: interval, console)
  }

  private func readThroughRelay() async throws -> Duration {
    var configuration = PkarrClientConfiguration.noDefaultNetwork
    configuration.relays = [try RelayURL(stand.url)]
    let client = try await RelayAccess.start(configuration)
    let start = ContinuousClock.now
    do throws(ResolveFailure) {
      _ = try await client.resolution(of: key)
      let took = ContinuousClock.now - start
      await client.shutdown()
      return took
    } catch {
      await client.shutdown()
      throw RelayAccess.explain(error, key)
    }
  }

  /// Lines that work as they are printed, from another terminal.
  private var suggestions: [String] {
    let program = ProgramName.asTyped
    let network = Network.options(stand.entrances)
    let file = ProgramName.quoted(KeyFile.display(sample.keyPath))
    var commands = [
      "\(program) resolve \(key.z32) --relay \(stand.url) --no-dht", "\(program) resolve \(key.z32)\(network)",
    ]
    if sample.zone.path != "-" {
      let zone = ProgramName.quoted(KeyFile.display(sample.zone.path))
      commands.append("\(program) publish \(zone) --key \(file)\(network)")
    }
    commands += [
      "\(program) dht info\(network)", "curl \(stand.url)/\(key.z32) -H 'Accept: application/json'",
    ]
    return ["", "  Open in a browser:", "      \(console.style.bold(page))", "", "  Try, from another terminal:"]
      + commands.map { "      \($0)" } + ["  Ctrl-C stops everything."]
  }
}
