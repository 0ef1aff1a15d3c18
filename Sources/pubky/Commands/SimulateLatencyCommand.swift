import CommandLineTool
import MainlineSimulator

/// `pubky simulate latency`
enum SimulateLatencyCommand {
  private static let losses = Option<Double>(
    "loss", value: "SHARE", repeatable: true, "Share of datagrams that is lost: 0.05 or 5% (default: 0 and 5%)",
    parse: SimulationOptions.share(below: 0.9))
  private static let lookups = Option<Int>(
    "lookups", value: "N", "Lookups at each share (default: 500)",
    parse: SharedOptions.number(in: LatencyExperiment.lookupBounds))
  private static let records = Option<Int>(
    "records", value: "N", "Records to look up (default: 100)",
    parse: SharedOptions.number(in: SurvivalExperiment.recordBounds))

  static let command: Command = .init(
    "latency", "How long lookups and publications take",
    discussion: "From the start of a lookup to the first valid answer and to its end, and of a publication to its end.",
    options: [losses.specification, lookups.specification, records.specification] + SimulationOptions.common,
    examples: [.init("pubky simulate latency --nodes 1000 --loss 0 --loss 10%", "Without loss, and with much of it")],
    action: { arguments, console in
      var experiment = LatencyExperiment()
      try SimulationOptions.apply(arguments, to: &experiment.plan)
      let losses = arguments.all(losses)
      if !losses.isEmpty { experiment.losses = losses }
      if let lookups = arguments[lookups] { experiment.lookups = lookups }
      if let records = arguments[records] { experiment.records = records }
      try await ExperimentRun.run(experiment, arguments, console)
    })
}
