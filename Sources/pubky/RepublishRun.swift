import Addresses
import CommandLineTool
import EventLoops
import Logging
import Mainline
import Pkarr
import PlainText
import Republisher

/// A run of `pubky republish`: one round, or until it is stopped.
struct RepublishRun: Sendable {
  let policy: RepublishPolicy
  let isOnce: Bool
  let sources: RepublishSources
  let stateFile: RepublishStateFile?
  let bootstrap: [HostName]
  /// Where metrics are served; nil: nowhere.
  let metrics: Endpoint?
  let console: Console
  let logger: Logger

  /// - Throws: `CommandError`: in a single round, if a key could not be kept alive.
  func run() async throws {
    let kept = stateFile == nil ? "Some keys were not checked." : "What was done is remembered; run it again to go on."
    let start = ContinuousClock.now
    let result = try await Interruption.during(undone: isOnce ? kept : nil) { try await work() }
    guard let report = result else {
      return console.note("Stopped. What is published stays on the network for some hours.")
    }
    try Self.say(report, took: .now - start, console)
    log(report)
    guard report.failed > 0 else { return }
    if report.failures[RepublishFailure.noNodes.name] == report.keys { throw Network.noNodes(bootstrap) }
    throw CommandError(
      "republish_failed", "\(report.failed) of \(NumberText.count(report.keys, "key")) could not be kept alive",
      details: report.failures.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }, exitCode: .refused)
  }

  private func work() async throws -> RoundReport {
    let loop = try Self.startLoop()
    var configuration = Network.clientConfiguration(bootstrap)
    configuration.eventLoop = loop
    do {
      let node = try await Network.start(configuration)
      let report = try await work(node, loop)
      try? await node.shutdown()
      await loop.shutdown()
      // What was broken off has no report.
      try Task.checkCancellation()
      return report
    } catch {
      await loop.shutdown()
      throw error
    }
  }

  private static func startLoop() throws(CommandError) -> EventLoop {
    do throws(SystemError) {
      let loop = try EventLoop(name: "republish")
      try loop.start()
      return loop
    } catch {
      throw CommandError("system", "the node cannot start: \(error)", exitCode: .refused)
    }
  }

  private func work(_ node: MainlineNode, _ loop: EventLoop) async throws -> RoundReport {
    let republisher: Republisher
    do throws(SystemError) {
      republisher = try Republisher(
        through: node, on: loop, policy, isSingleRound: isOnce, stateFile: stateFile, onCheck: { heard($0, $1) },
        onRound: { heard($0) },
        onSaveFailure: { console.warn("state", "the state could not be written: \($0)") })
    } catch {
      throw CommandError.input("\(stateFile?.path ?? ""): the state cannot be used: \(error)")
    }
    // The rate of the checks is what bounds them.
    await node.allowQueries(
      extraPerSecond: policy.queriesPerSecond(keys: sources.keys.count, isSingleRound: isOnce))
    let server = try await serveMetrics(republisher, node, loop)
    for source in sources.keys { await republisher.add(source) }
    if !isOnce {
      console.note(
        "Keeping \(NumberText.count(await republisher.count, "key")) alive; checking each every "
          + "\(DurationText.describe(policy.interval)). Ctrl-C stops.")
    }
    let zones = Task { await followZones(republisher) }
    defer { zones.cancel() }
    let report = await ProgressLine.show("Looking for the network", on: console) { progress in
      let painter = Task { await paint(progress, republisher) }
      defer { painter.cancel() }
      return await republisher.run()
    }
    await server?.stop()
    return report
  }

  private func serveMetrics(
    _ republisher: Republisher, _ node: MainlineNode, _ loop: EventLoop
  ) async throws(CommandError) -> RepublishMetricsServer? {
    guard let metrics else { return nil }
    let server = try await RepublishMetricsServer.start(metrics, on: loop, republisher, node)
    if let endpoint = server.endpoint { console.note("Metrics: http://\(endpoint)/metrics") }
    return server
  }

  /// Hears of each check.
  private func heard(_ key: PublicKey, _ outcome: RepublishOutcome) {
    let copies = outcome.copies ?? CopyCount(held: 0, wanted: 0)
    logger.debug(
      "republish.checked",
      [
        "key": .string(key.z32), "outcome": .string(outcome.name), "held": JSON(copies.held),
        "added": JSON(copies.added), "wanted": JSON(copies.wanted),
      ])
  }

  /// Hears of each round that has ended.
  private func heard(_ report: RoundReport) {
    log(report)
    // Standard output that is gone ends the command when something else is written.
    try? Self.say(report, took: policy.interval, console)
  }

  private func paint(_ progress: ProgressLine, _ republisher: Republisher) async {
    while (try? await Task.sleep(for: .milliseconds(500))) != nil {
      let report = await republisher.report
      progress.update(
        "\(report.checked) of \(report.keys) keys: \(report.published) published, \(report.alreadyAlive) alive, "
          + "\(report.superseded) superseded, \(report.failed) failed")
    }
  }

  // MARK: - Zones

  /// Publishes zone files that change.
  private func followZones(_ republisher: Republisher) async {
    var zones = sources.zones
    if isOnce || zones.isEmpty { return }
    while (try? await Task.sleep(for: .seconds(2))) != nil {
      for index in zones.indices {
        let state = InputFile.state(zones[index].path)
        guard let state, state != zones[index].state else { continue }
        zones[index].state = state
        do throws(CommandError) {
          guard try await RepeatedPublisher.settledText(zones[index].path) != nil else { continue }
          await republisher.add(try sources.read(zones[index]))
        } catch {
          console.report(error, program: Pubky.program.root.name)
          console.note("    Going on with the version before.")
        }
      }
    }
  }

  // MARK: - What became of it

  private static func say(_ report: RoundReport, took: Duration, _ console: Console) throws(CommandError) {
    if console.isJSON { return try console.print(json: .object(fields(report, took: took))) }
    var line =
      "Checked \(NumberText.count(report.checked, "key")) in \(DurationText.describe(took)): \(report.published) published, "
      + "\(report.alreadyAlive) already alive, \(report.superseded) superseded, \(report.failed) failed"
    if report.checkedBefore > 0 { line += ", \(report.checkedBefore) checked before" }
    if report.thin > 0 { line += "; \(report.thin) on fewer nodes than wanted" }
    try console.print(line)
  }

  private static func fields(_ report: RoundReport, took: Duration) -> [JSON.Field] {
    [
      .init("round", JSON(report.number)), .init("keys", JSON(report.keys)), .init("published", JSON(report.published)),
      .init("already_alive", JSON(report.alreadyAlive)), .init("superseded", JSON(report.superseded)),
      .init("failed", JSON(report.failed)),
      .init("failures", .object(report.failures.sorted { $0.key < $1.key }.map { .init($0.key, JSON($0.value)) })),
      .init("checked_before", JSON(report.checkedBefore)), .init("pending", JSON(report.pending)),
      .init("thin", JSON(report.thin)), .init("copies_added", JSON(report.copiesAdded)),
      .init("milliseconds", JSON(ResolveCommand.milliseconds(took))),
    ]
  }

  /// One line of figures for each round.
  private func log(_ report: RoundReport) {
    logger.info("republish.round", report.logFields)
  }
}
