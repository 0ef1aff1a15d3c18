import CommandLineTool
import EventLoops
import Logging
import Mainline
import Pkarr
import PlainText

/// `pubky up`
enum UpCommand {
  private static let zone = Argument(
    "ZONE", required: false, completion: .file,
    "The zone file that is published (default: ~/.config/pubky/demo.zone, a sample)")
  private static let port = Option<UInt16>(
    "port", short: "p", value: "PORT", "The TCP port of the web app, 0 for any (default: 6881)",
    parse: SharedOptions.number(in: 0...65535))
  private static let mainnet = Flag("mainnet", "Use the public DHT instead of one on this machine")

  private static let every = Option<Duration>(
    "every", value: "DURATION", "Publish again this often, since nodes forget (default: 30m)",
    parse: SharedOptions.duration(atLeast: .seconds(1)))

  static let command: Command = .init(
    "up", "Start all of it here: DHT, relay, web app, sample key",
    discussion: """
      Starts a private DHT, a relay on it whose web app a browser shows, and publishes a sample zone under a sample key \
      that is made for this. The zone is published again when its file is saved. Nothing leaves this machine unless \
      --mainnet or --bootstrap say so. It runs until Ctrl-C.
      """,
    arguments: [zone.specification],
    options: [
      port.specification, mainnet.specification, every.specification, SharedOptions.bootstrap.specification,
      SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky up", "See it work"), .init("pubky up my.zone --port 8080", "With records of yours, on another port"),
      .init("pubky up --mainnet", "On the public DHT"),
    ],
    action: { arguments, console in
      let place = try place(arguments)
      let sample = try UpSample.prepare(zone: arguments[zone], console)
      let logger = LogOptions.logger(arguments)
      _ = try await Interruption.during(undone: nil) {
        let stand = try await ProgressLine.show("Starting", on: console) { _ in
          try await UpStand.start(on: place, port: arguments[port], logger)
        }
        do {
          try await stayUp(stand, sample, every: arguments[every] ?? .seconds(1800), logger, console)
        } catch {
          await stand.stop()
          guard error is CancellationError else { throw error }
        }
        await stand.stop()
      }
      console.note("All is stopped. The sample key stays in \(KeyFile.display(sample.keyPath)).")
    })

  private static func place(_ arguments: ParsedArguments) throws(CommandError) -> UpStand.Place {
    let bootstrap = arguments.all(SharedOptions.bootstrap)
    if arguments[mainnet] {
      guard bootstrap.isEmpty else { throw .usage("--mainnet and --bootstrap exclude each other") }
      return .existing([])
    }
    return bootstrap.isEmpty ? .new : .existing(bootstrap)
  }

  /// Publishes again and again, until the task is cancelled.
  private static func stayUp(
    _ stand: UpStand, _ sample: UpSample, every interval: Duration, _ logger: Logger, _ console: Console
  ) async throws {
    let tour = UpTour(stand: stand, sample: sample, console: console)
    try tour.announce()
    let (waiting, firstPublication) = AsyncStream.makeStream(of: Void.self)
    async let progress: Void = ProgressLine.show("Publishing \(sample.zone.name)", on: console) { _ in
      for await _ in waiting {}
    }
    let isFirst = LockedValue(true)
    var publisher = RepeatedPublisher(
      keypair: sample.keypair, interval: interval, bootstrap: stand.entrances, relays: nil, console: console,
      logger: logger)
    publisher.keepsNewer = true
    publisher.onPublication = { publication in
      firstPublication.finish()
      let isFirst = isFirst.withLock { isFirst in
        defer { isFirst = false }
        return isFirst
      }
      if isFirst {
        try await tour.show(publication, interval)
      } else {
        try tour.showAgain(publication, interval)
      }
    }
    defer { firstPublication.finish() }
    try await publisher.run(sample.zone)
    await progress
  }
}
