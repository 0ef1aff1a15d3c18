/// Durations as people write and read them.
public enum DurationText {
  /// Seconds in each unit that may be written, longest first.
  private static let units: [(name: Character, seconds: Int64)] = [
    ("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
  ]

  /// Reads seconds (`90`) or units from long to short, each at most once (`1h30m`, `2d`, `15s`); nil for anything else,
  /// or for what does not fit.
  public static func parse(_ text: some StringProtocol) -> Duration? {
    if let seconds = number(text) { return .seconds(seconds) }
    var rest = text[...]
    var total: Int64 = 0
    var smallest = Int64.max
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard let count = number(digits), let unit = rest.dropFirst(digits.count).first,
        let seconds = units.first(where: { $0.name == unit })?.seconds, seconds < smallest
      else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: seconds)
      let (sum, sumOverflow) = total.addingReportingOverflow(product)
      if overflow || sumOverflow { return nil }
      total = sum
      smallest = seconds
      rest = rest.dropFirst(digits.count + 1)
    }
    return smallest == .max ? nil : .seconds(total)
  }

  /// Reads ASCII digits alone: no sign, no space, no other script's digits. At most ten thousand years.
  private static func number(_ text: some StringProtocol) -> Int64? {
    guard (1...12).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    guard let value = Int64(text), value <= 315_576_000_000 else { return nil }
    return value
  }

  /// The one or two largest units that matter: `3 ms`, `1.2 s`, `15 s`, `4 min`, `1 h 30 min`, `2 d 3 h`.
  public static func describe(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    if seconds < 0 || attoseconds < 0 { return "-" + describe(Duration.zero - duration) }
    if seconds == 0 {
      let microseconds = attoseconds / 1_000_000_000_000
      if microseconds == 0 { return "0 s" }
      return microseconds < 1000 ? "\(microseconds) µs" : "\(microseconds / 1000) ms"
    }
    if seconds < 10 {
      let tenths = attoseconds / 100_000_000_000_000_000
      return tenths == 0 ? "\(seconds) s" : "\(seconds).\(tenths) s"
    }
    let parts: [(Int64, String)] = [
      (seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s"),
    ]
    let first = parts.firstIndex { $0.0 > 0 } ?? 3
    return parts[first..<min(first + 2, 4)].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: " ")
  }

  /// A moment seen from now: `in 4 min`, `2 h ago`, `just now` within a second.
  public static func relative(_ fromNow: Duration) -> String {
    if fromNow > .seconds(-1), fromNow < .seconds(1) { return "just now" }
    return fromNow > .zero ? "in \(describe(fromNow))" : "\(describe(.zero - fromNow)) ago"
  }
}
