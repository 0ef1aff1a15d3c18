/// Unsigned decimal numbers in text.
enum DecimalNumber {
  /// The number that `text` spells with digits alone: no sign, no space, not empty, in range of the type.
  static func parse<Number: FixedWidthInteger & UnsignedInteger>(
    _ text: some StringProtocol, as type: Number.Type
  ) -> Number? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Number(text)
  }
}
