import Foundation

/// One line of the report: what was measured, what it is compared with, and what it may cost.
struct Row {
  /// What a row must reach.
  enum Target {
    /// Measured divided by the peer's figure of the same run.
    case ratio(atMost: Double)
    case atMost(Double)
    case atLeast(Double)
    /// Nothing is promised: for comparison only.
    case none
  }

  let name: String
  let measured: Double
  let unit: String
  var peer: (name: String, measured: Double)?
  var target: Target = .none

  /// Measured divided by the peer's figure.
  var ratio: Double? { peer.map { measured / $0.measured } }

  /// Whether the target is met; nil without one.
  var passes: Bool? {
    switch target {
    case .ratio(let limit): ratio.map { $0 <= limit } ?? false
    case .atMost(let limit): measured <= limit
    case .atLeast(let limit): measured >= limit
    case .none: nil
    }
  }

  private var targetText: String {
    switch target {
    case .ratio(let limit): "ratio ≤ \(limit.short)"
    case .atMost(let limit): "≤ \(limit.short) \(unit)"
    case .atLeast(let limit): "≥ \(limit.short) \(unit)"
    case .none: ""
    }
  }

  /// The columns: what, measured, peer, ratio, target, verdict.
  var columns: [String] {
    [
      name, "\(measured.short) \(unit)", peer.map { "\($0.name) \($0.measured.short)" } ?? "",
      ratio.map { String(format: "%.3f", $0) } ?? "", targetText,
      passes.map { $0 ? "pass" : "MISS" } ?? "",
    ]
  }
}

extension Double {
  /// Three or four digits that matter.
  var short: String {
    switch magnitude {
    case 1000...: String(format: "%.0f", self)
    case 100...: String(format: "%.0f", self)
    case 10...: String(format: "%.1f", self)
    default: String(format: "%.3g", self)
    }
  }
}

/// Prints rows as a Markdown table.
func report(_ rows: [Row]) {
  let heads = ["what", "measured", "peer", "ratio", "target", ""]
  let lines = [heads, heads.map { _ in "---" }] + rows.map(\.columns)
  let widths = heads.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
  for line in lines {
    let cells = zip(line, widths).map { $0.padding(toLength: $1, withPad: $0 == "---" ? "-" : " ", startingAt: 0) }
    print("| " + cells.joined(separator: " | ") + " |")
  }
}
