import CommandLineTool
import EventLoops
import Logging
import MainlineSimulator
import PlainText

/// Runs an experiment of `pubky simulate` and writes its report.
enum ExperimentRun {
  /// - Throws: `CommandError` if it is interrupted, or a file cannot be written.
  static func run(_ experiment: some Experiment, _ arguments: ParsedArguments, _ console: Console) async throws {
    // Found out before the work, not after it.
    let files = [arguments[SimulationOptions.csv], arguments[SimulationOptions.plot]].compactMap { $0 }
    for file in files { try NewFile.requireFolder(of: file) }
    let seed = arguments[SimulationOptions.seed] ?? 1
    let start = ContinuousClock.now
    let logger = LogOptions.logger(arguments)
    let report = try await ProgressLine.show("Simulating", on: console) { line in
      try await Interruption.during(undone: "Nothing was written.") {
        logger.notice("simulation.started", ["seed": JSON(seed)])
        return try await onOwnThread {
          try experiment.run(seed: seed) { what, share in line.update("\(Int(share * 100)) %: \(what)") }
        }
      }
    }
    guard let report else { return }
    if let file = arguments[SimulationOptions.csv] { try NewFile.replace(file, with: Array(report.csv.utf8)) }
    if let file = arguments[SimulationOptions.plot] { try NewFile.replace(file, with: Array((report.svg ?? "").utf8)) }
    try write(report, console)
    guard console.isForPerson else { return }
    let took = DurationText.describe(.now - start)
    console.note("Simulated in \(took)" + (files.isEmpty ? "." : "; wrote \(files.joined(separator: " and "))."))
  }

  /// Computing for minutes would keep a thread from everything else that waits, a signal among it.
  private static func onOwnThread<Result: Sendable>(
    _ work: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    let loop: EventLoop
    do throws(SystemError) {
      loop = try EventLoop(name: "simulation")
      try loop.start()
    } catch {
      throw CommandError("system", "no thread can be started: \(error)", exitCode: .refused)
    }
    do {
      let result = try await withTaskExecutorPreference(loop) { try work() }
      await loop.shutdown()
      return result
    } catch {
      await loop.shutdown()
      throw error
    }
  }

  private static func write(_ report: Report, _ console: Console) throws(CommandError) {
    if console.isJSON {
      for line in report.jsonLines { try console.print(json: line) }
      return
    }
    var table = Table(
      report.columns.map(\.title),
      alignments: report.columns.indices.map { column in
        if case .text? = report.rows.first?[column] { .left } else { .right }
      })
    for row in report.rows { table.add(row.map(\.text)) }
    guard console.isForPerson else {
      try console.print(table)
      // The figures after an empty line, a name and a value each.
      try console.print([""] + report.figures.map { "\($0.name)\t\($0.value.text)" })
      return
    }
    try console.print(console.style.bold(report.title), "")
    try console.print(table)
    try console.print("")
    var figures = Table(["figure", "value"], alignments: [.left, .right])
    for figure in report.figures { figures.add([figure.title, figure.value.text]) }
    try console.print(figures)
  }
}
