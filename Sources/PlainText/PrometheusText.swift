/// Metrics in the text format that Prometheus reads, version 0.0.4.
public struct PrometheusText: Sendable {
  /// What kind of number a metric is.
  public enum Kind: String, Sendable {
    /// It only grows.
    case counter
    /// It goes up and down.
    case gauge
    /// Counts of steps.
    case histogram
  }

  /// The media type.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The metrics so far.
  public private(set) var text = ""

  /// No metrics.
  public init() {}

  /// Adds a metric with one value. `help` says what it is and what a bad value means.
  public mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
    add(name, kind, help, [([], value)])
  }

  /// Adds a metric with a value for each set of labels.
  public mutating func add(
    _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: [(String, String)], value: Double)]
  ) {
    describe(name, kind, help)
    for sample in samples { write(name, sample.labels, sample.value) }
  }

  /// Adds a histogram in seconds.
  public mutating func add(_ name: String, _ help: String, _ histogram: DurationHistogram) {
    describe(name, .histogram, help)
    var total: UInt64 = 0
    for (bound, count) in zip(DurationHistogram.bounds, histogram.counts) {
      total &+= count
      write("\(name)_bucket", [("le", Self.number(Double(bound) / 1000))], Double(total))
    }
    write("\(name)_bucket", [("le", "+Inf")], Double(histogram.count))
    write("\(name)_sum", [], histogram.sum.fractionalSeconds)
    write("\(name)_count", [], Double(histogram.count))
  }

  private mutating func describe(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(Self.escape(help))\n# TYPE \(name) \(kind.rawValue)\n"
  }

  private mutating func write(_ name: String, _ labels: [(String, String)], _ value: Double) {
    text += name
    if !labels.isEmpty {
      text += "{" + labels.map { "\($0.0)=\"\(Self.escape($0.1, quote: true))\"" }.joined(separator: ",") + "}"
    }
    text += " \(Self.number(value))\n"
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : value.description
  }

  private static func escape(_ text: String, quote: Bool = false) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quote: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
