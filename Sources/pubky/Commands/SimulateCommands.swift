import CommandLineTool
import MainlineSimulator

/// `pubky simulate`
enum SimulateCommands {
  static let group: Command = .init(
    group: "simulate", "Try things out on a simulated network",
    discussion: """
      A network of DHT nodes in this process, with a clock of its own; nothing is sent anywhere. The nodes are those of \
      this program, the network between them loses and delays, nodes come and go, and attackers do what they can. The \
      same seed gives the same report.
      """,
    examples: [
      .init("pubky simulate survival --time 2d --plot survival.svg", "How long a record lives, as a picture"),
      .init("pubky simulate attack --attack stale --strength 30%", "Whether old copies can hide a new version"),
    ],
    [
      SimulateSurvivalCommand.command, SimulateLatencyCommand.command, SimulateAttackCommand.command,
      SimulateTrafficCommand.command,
    ])
}
