import CommandLineTool
import MainlineSimulator
import PlainText

/// Options that the experiments of `pubky simulate` share.
enum SimulationOptions {
  static let nodes = Option<Int>(
    "nodes", short: "n", value: "N", "Nodes in the network (default: 500)",
    parse: SharedOptions.number(in: NetworkPlan.nodeBounds))
  static let seed = Option<UInt64>(
    "seed", value: "S", "Where all randomness comes from: the same seed gives the same report (default: 1)",
    parse: SharedOptions.number(in: UInt64.min...UInt64.max))
  static let loss = Option<Double>(
    "loss", value: "SHARE", "Share of datagrams that is lost: 0.05 or 5% (default: 0)", parse: share(below: 0.9))
  static let nat = Option<Double>(
    "nat", value: "SHARE", "Share of nodes behind routers with address translation (default: 0)",
    parse: share(below: 0.95))
  static let sessions = Option<SessionTimes>(
    "sessions", value: "KIND", completion: .words(["measured", "endless"]),
    "How long nodes stay: measured, endless, or a mean such as 3h (default: endless; survival: measured)",
    parse: { (text: String) throws(InvalidValue) in
      switch text {
      case "measured": return .measured
      case "endless": return .endless
      default:
        guard let mean = DurationText.parse(text), mean >= .seconds(60) else {
          throw InvalidValue(
            "\"\(text)\" is not a way in which nodes stay",
            advice: "Write measured, endless, or how long they stay on average: at least 1m, as 3h.")
        }
        return .exponential(mean: mean)
      }
    })
  static let withoutItems = Option<Double>(
    "without-items", value: "SHARE", "Share of nodes that answer neither get nor put (default: 0)",
    parse: share(below: 0.95))
  static let forgetful = Option<Double>(
    "forgetful", value: "SHARE", "Share of nodes that forget an item after two hours (default: 0)",
    parse: share(below: 1))
  static let csv = Option(
    "csv", value: "FILE", completion: .file, "Write the table as comma-separated values, over a file that is there")
  static let plot = Option(
    "plot", value: "FILE", completion: .file, "Draw the pictures of it as SVG, over a file that is there")

  /// What every experiment takes.
  static let common: [OptionSpecification] = [
    nodes.specification, seed.specification, nat.specification, sessions.specification, withoutItems.specification,
    forgetful.specification, csv.specification, plot.specification, SharedOptions.json.specification,
  ]

  /// Time of the simulated clock.
  static func time(_ summary: String, _ range: ClosedRange<Duration>) -> Option<Duration> {
    Option<Duration>(
      "time", value: "DURATION", summary,
      parse: { (text: String) throws(InvalidValue) in
        let time = try SharedOptions.duration(atLeast: range.lowerBound)(text)
        guard time <= range.upperBound else {
          throw InvalidValue(
            "\(DurationText.describe(time)) is more than \(DurationText.describe(range.upperBound))")
        }
        return time
      })
  }

  /// Reads a share: `0.05` or `5%`.
  static func share(below limit: Double) -> @Sendable (String) throws(InvalidValue) -> Double {
    { (text: String) throws(InvalidValue) in
      let isPercent = text.hasSuffix("%")
      let digits = isPercent ? text.dropLast() : text[...]
      let isPlain = !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) || $0 == 46 }
      guard isPlain, let number = Double(digits), number <= (isPercent ? limit * 100 : limit) else {
        throw InvalidValue("\"\(text)\" is not a share from 0 to \(limit)", advice: "Write 0.05 or 5%.")
      }
      return isPercent ? number / 100 : number
    }
  }

  /// Changes a plan as the options say.
  static func apply(_ arguments: ParsedArguments, to plan: inout NetworkPlan) throws(CommandError) {
    if let nodes = arguments[nodes] { plan.nodes = nodes }
    if let nat = arguments[nat] { plan.natShare = nat }
    if let sessions = arguments[sessions] { plan.sessions = sessions }
    if let share = arguments[withoutItems] { plan.cooperation.withoutItems = share }
    if let share = arguments[forgetful] { plan.cooperation.forgetful = share }
    guard plan.cooperation.withoutItems + plan.cooperation.forgetful <= 1 else {
      throw .usage("--without-items and --forgetful are more than all nodes together")
    }
  }
}
