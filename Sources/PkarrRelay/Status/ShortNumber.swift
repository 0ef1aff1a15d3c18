/// Numbers for a page that people look at.
enum ShortNumber {
  /// `999`, `1.5K`, `1.2M`, `10.5B`.
  static func text(_ number: UInt64) -> String {
    for (unit, name) in [(1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")] where number >= UInt64(unit) {
      return decimal(Double(number) / Double(unit), digits: 1) + name
    }
    return String(number)
  }

  /// A number of at least 0 with a fixed number of decimals; `0.00` for what is no number, `∞` beyond reason.
  static func decimal(_ number: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (number.isNaN ? 0 : max(0, number) * scale).rounded(.toNearestOrEven)
    guard scaled < 1e18 else { return "∞" }
    let (whole, fraction) = UInt64(scaled).quotientAndRemainder(dividingBy: UInt64(scale))
    let decimals = String(fraction)
    return "\(whole).\(String(repeating: "0", count: digits - decimals.utf8.count))\(decimals)"
  }
}
