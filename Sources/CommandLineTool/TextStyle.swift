/// Emphasis on a terminal, or none.
public struct TextStyle: Sendable {
  /// True if escape sequences may be written.
  public let isEnabled: Bool

  /// Emphasis if `isEnabled`.
  public init(isEnabled: Bool) { self.isEnabled = isEnabled }

  /// Text that is left as it is.
  public static let plain = TextStyle(isEnabled: false)

  /// Heavier.
  public func bold(_ text: String) -> String { wrap(text, "1") }
  /// Lighter.
  public func dim(_ text: String) -> String { wrap(text, "2") }
  /// Red: what failed.
  public func red(_ text: String) -> String { wrap(text, "31") }
  /// Yellow: what to look at.
  public func yellow(_ text: String) -> String { wrap(text, "33") }
  /// Green: what went well.
  public func green(_ text: String) -> String { wrap(text, "32") }

  private func wrap(_ text: String, _ code: String) -> String {
    isEnabled && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }
}
