/// Durations in zone files: plain seconds, or numbers with the units `s`, `m`, `h`, `d` and `w`.
enum TimeToLive {
  /// What to tell somebody who wrote something else.
  static let hint = "Write seconds (300) or units (5m, 1h30m, 2d)."

  /// Seconds; nil for anything else, a unit that occurs twice and values beyond 32 bits included.
  static func parse(_ text: Substring) -> UInt32? {
    if let seconds = DecimalNumber.parse(text, as: UInt32.self) { return seconds }
    var total: UInt64 = 0
    var number: UInt64?
    var usedUnits: Set<UInt64> = []
    for byte in text.utf8 {
      if (0x30...0x39).contains(byte) {
        number = (number ?? 0) * 10 + UInt64(byte - 0x30)
      } else {
        guard let count = number, let unit = unit(byte), usedUnits.insert(unit).inserted else { return nil }
        total += count * unit
        number = nil
      }
      // Keeps all arithmetic far below overflow.
      guard (number ?? 0) <= UInt32.max, total <= UInt32.max else { return nil }
    }
    guard number == nil, !usedUnits.isEmpty else { return nil }
    return UInt32(total)
  }

  private static func unit(_ byte: UInt8) -> UInt64? {
    switch byte | 0x20 {
    case UInt8(ascii: "s"): 1
    case UInt8(ascii: "m"): 60
    case UInt8(ascii: "h"): 3600
    case UInt8(ascii: "d"): 86400
    case UInt8(ascii: "w"): 604_800
    default: nil
    }
  }
}
