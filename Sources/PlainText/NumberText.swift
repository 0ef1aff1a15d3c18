/// Numbers as people read them.
public enum NumberText {
  /// Digits in groups of three: `1,038`.
  public static func grouped(_ value: some BinaryInteger) -> String {
    let digits = Array(value.magnitude.description.utf8)
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.unicodeScalars.append(Unicode.Scalar(digit))
    }
    return text
  }

  /// A number and what it counts: `1 record`, `1,200 records`.
  public static func count(_ value: some BinaryInteger, _ singular: String, _ plural: String? = nil) -> String {
    "\(grouped(value)) \(value == 1 ? singular : plural ?? singular + "s")"
  }
}
