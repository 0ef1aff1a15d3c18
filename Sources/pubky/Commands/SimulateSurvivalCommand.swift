import CommandLineTool
import MainlineSimulator

/// `pubky simulate survival`
enum SimulateSurvivalCommand {
  private static let time = SimulationOptions.time(
    "How long it goes on (default: 24h)", .seconds(600) ... .seconds(14 * 86_400))
  private static let records = Option<Int>(
    "records", value: "N", "Records of each kind (default: 50)",
    parse: SharedOptions.number(in: SurvivalExperiment.recordBounds))
  private static let every = Option<Duration>(
    "every", value: "DURATION", repeatable: true,
    "Publish records again at this interval (default: 24h, 12h, 4h and 1h)",
    parse: SharedOptions.duration(atLeast: .seconds(300)))

  static let command: Command = .init(
    "survival", "How long a record lives",
    discussion: """
      Records are published once, and again at several intervals, while nodes leave and others come in their place. What \
      is left of them is counted as readers find it. Where nodes stay as long as measured, the measured survival of \
      copies stands beside it.
      """,
    options: [time.specification, records.specification, every.specification, SimulationOptions.loss.specification]
      + SimulationOptions.common,
    examples: [
      .init("pubky simulate survival --nodes 1000 --time 2d --plot survival.svg", "Two days, with a picture"),
      .init("pubky simulate survival --every 30h --time 5d", "Whether once in 30 hours is enough"),
    ],
    action: { arguments, console in
      var experiment = SurvivalExperiment()
      try SimulationOptions.apply(arguments, to: &experiment.plan)
      if let loss = arguments[SimulationOptions.loss] { experiment.plan.conditions.loss = loss }
      if let time = arguments[time] { experiment.length = time }
      if let records = arguments[records] { experiment.records = records }
      let intervals = arguments.all(every)
      if !intervals.isEmpty { experiment.intervals = [nil] + intervals.map { .some($0) } }
      try await ExperimentRun.run(experiment, arguments, console)
    })
}
