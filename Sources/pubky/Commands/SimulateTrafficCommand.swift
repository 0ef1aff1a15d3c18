import CommandLineTool
import MainlineSimulator

/// `pubky simulate traffic`
enum SimulateTrafficCommand {
  private static let time = SimulationOptions.time(
    "How long it is measured (default: 2h)", .seconds(600) ... .seconds(7 * 86_400))
  private static let lookups = Option<Int>(
    "lookups-per-hour", value: "N", "Lookups of each node in an hour (default: 2)",
    parse: SharedOptions.number(in: 0...3600))

  static let command: Command = .init(
    "traffic", "What a node sends and receives",
    discussion: "To stay in the network, to serve others, and for lookups of its own; after an hour to settle.",
    options: [time.specification, lookups.specification, SimulationOptions.loss.specification]
      + SimulationOptions.common,
    examples: [.init("pubky simulate traffic --nodes 1000 --nat 30%", "With nodes behind routers")],
    action: { arguments, console in
      var experiment = TrafficExperiment()
      try SimulationOptions.apply(arguments, to: &experiment.plan)
      if let loss = arguments[SimulationOptions.loss] { experiment.plan.conditions.loss = loss }
      if let time = arguments[time] { experiment.length = time }
      if let lookups = arguments[lookups] { experiment.lookupsPerHour = Double(lookups) }
      try await ExperimentRun.run(experiment, arguments, console)
    })
}
