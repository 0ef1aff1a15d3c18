import CommandLineTool
import MainlineSimulator

/// `pubky simulate attack`
enum SimulateAttackCommand {
  private static let attacks = Option<AttackExperiment.Kind>(
    "attack", value: "NAME", repeatable: true,
    completion: .words(AttackExperiment.Kind.allCases.map(\.rawValue)),
    "stale, lying, slow, eclipse or sybil (default: all)",
    parse: { (text: String) throws(InvalidValue) in
      guard let kind = AttackExperiment.Kind(rawValue: text) else {
        let names = AttackExperiment.Kind.allCases.map(\.rawValue).joined(separator: ", ")
        throw InvalidValue("\"\(text)\" is not an attack", advice: "There are: \(names).")
      }
      return kind
    })
  private static let strengths = Option<Double>(
    "strength", value: "SHARE", repeatable: true,
    "Share of the nodes in the attacker's hands; for sybil, his addresses for each node (default: 0 to 50%)",
    parse: SimulationOptions.share(below: 0.9))
  private static let lookups = Option<Int>(
    "lookups", value: "N", "Lookups for each attack and strength (default: 500)",
    parse: SharedOptions.number(in: LatencyExperiment.lookupBounds))
  private static let records = Option<Int>(
    "records", value: "N", "Records to look up (default: 50)",
    parse: SharedOptions.number(in: SurvivalExperiment.recordBounds))

  static let command: Command = .init(
    "attack", "What attackers achieve",
    discussion: """
      A version of each record is published, then a newer one, then readers look for it. stale: nodes keep the old version \
      and say that they took the new one. lying: they name neighbours who do not exist and return forged items. slow: they \
      answer late, and little. eclipse: they name only each other, and readers begin with two of them among three. sybil: \
      peers crowd around the record and hide it. Then abused tokens, and queries in a victim's name.
      """,
    options: [
      attacks.specification, strengths.specification, lookups.specification, records.specification,
      SimulationOptions.loss.specification,
    ] + SimulationOptions.common,
    examples: [.init("pubky simulate attack --attack lying --strength 30% --lookups 1000", "One attack, closely")],
    action: { arguments, console in
      var experiment = AttackExperiment()
      try SimulationOptions.apply(arguments, to: &experiment.plan)
      if let loss = arguments[SimulationOptions.loss] { experiment.plan.conditions.loss = loss }
      let kinds = arguments.all(attacks)
      if !kinds.isEmpty { experiment.kinds = kinds }
      let strengths = arguments.all(strengths)
      if !strengths.isEmpty { experiment.strengths = strengths }
      if let lookups = arguments[lookups] { experiment.lookups = lookups }
      if let records = arguments[records] { experiment.records = records }
      try await ExperimentRun.run(experiment, arguments, console)
    })
}
