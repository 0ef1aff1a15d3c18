/// What a shell may offer for a value.
public enum CompletionHint: Hashable, Sendable {
  /// Nothing.
  case none
  /// Names of files.
  case file
  /// A fixed set of words.
  case words([String])
}

/// A value on the command line that cannot be used.
public struct InvalidValue: Error, Hashable, Sendable {
  /// What is wrong with it, as `"300s5" is not a duration`.
  public var message: String
  /// What to write instead.
  public var advice: String?

  /// Explains what is wrong with a value.
  public init(_ message: String, advice: String? = nil) {
    self.message = message
    self.advice = advice
  }
}

/// What help, completions and the parser know of an option.
public struct OptionSpecification: Sendable {
  /// The name without its dashes: `log-level`.
  public let name: String
  /// The one-letter name, if it has one.
  public let short: Character?
  /// What stands for the value in help, as `HOST:PORT`; nil if the option takes none.
  public let valueName: String?
  /// True if it may be given several times.
  public let isRepeatable: Bool
  /// One line about it.
  public let summary: String
  /// What a shell may offer for the value.
  public let completion: CompletionHint
  let check: @Sendable (String) throws(InvalidValue) -> Void
}

/// What help, completions and the parser know of a positional argument.
public struct ArgumentSpecification: Sendable {
  /// What stands for it in help, as `ZONE`.
  public let name: String
  /// True if the command cannot do without it.
  public let isRequired: Bool
  /// True if it may be given several times.
  public let isRepeatable: Bool
  /// One line about it.
  public let summary: String
  /// What a shell may offer for it.
  public let completion: CompletionHint
  let check: @Sendable (String) throws(InvalidValue) -> Void
}

/// An option without a value: there or not.
public struct Flag: Sendable {
  /// How it is written and explained.
  public let specification: OptionSpecification

  /// A flag `--name`.
  public init(_ name: String, short: Character? = nil, _ summary: String) {
    specification = OptionSpecification(
      name: name, short: short, valueName: nil, isRepeatable: false, summary: summary, completion: .none,
      check: { (_: String) throws(InvalidValue) in })
  }
}

/// An option with a value: `--name value` or `--name=value`.
public struct Option<Value: Sendable>: Sendable {
  /// How it is written and explained.
  public let specification: OptionSpecification
  /// Turns the text of the value into the value, or says what is wrong with it.
  public let parse: @Sendable (String) throws(InvalidValue) -> Value

  /// An option whose text `parse` turns into a value, throwing what is wrong with it.
  public init(
    _ name: String, short: Character? = nil, value: String, repeatable: Bool = false,
    completion: CompletionHint = .none, _ summary: String,
    parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
  ) {
    specification = OptionSpecification(
      name: name, short: short, valueName: value, isRepeatable: repeatable, summary: summary, completion: completion,
      check: { (text: String) throws(InvalidValue) in _ = try parse(text) })
    self.parse = parse
  }
}

extension Option where Value == String {
  /// An option that takes any text.
  public init(
    _ name: String, short: Character? = nil, value: String, repeatable: Bool = false,
    completion: CompletionHint = .none, _ summary: String
  ) {
    self.init(
      name, short: short, value: value, repeatable: repeatable, completion: completion, summary,
      parse: { (text: String) throws(InvalidValue) in text })
  }
}

extension Option where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
  /// An option that takes one of the words of an enumeration.
  public init(_ name: String, short: Character? = nil, value: String, _ summary: String) {
    let words = Value.allCases.map(\.rawValue)
    self.init(
      name, short: short, value: value, completion: .words(words), summary,
      parse: { (text: String) throws(InvalidValue) in try Value.choice(text, of: words) })
  }
}

extension RawRepresentable where RawValue == String {
  fileprivate static func choice(_ text: String, of words: [String]) throws(InvalidValue) -> Self {
    guard let value = Self(rawValue: text) else {
      throw InvalidValue("\"\(text)\" is not one of \(words.joined(separator: ", "))")
    }
    return value
  }
}

/// A positional argument.
public struct Argument<Value: Sendable>: Sendable {
  /// How it is written and explained.
  public let specification: ArgumentSpecification
  let parse: @Sendable (String) throws(InvalidValue) -> Value

  /// An argument whose text `parse` turns into a value, throwing what is wrong with it.
  public init(
    _ name: String, required: Bool = true, repeatable: Bool = false, completion: CompletionHint = .none,
    _ summary: String, parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
  ) {
    specification = ArgumentSpecification(
      name: name, isRequired: required, isRepeatable: repeatable, summary: summary, completion: completion,
      check: { (text: String) throws(InvalidValue) in _ = try parse(text) })
    self.parse = parse
  }
}

extension Argument where Value == String {
  /// An argument that takes any text.
  public init(
    _ name: String, required: Bool = true, repeatable: Bool = false, completion: CompletionHint = .none,
    _ summary: String
  ) {
    self.init(
      name, required: required, repeatable: repeatable, completion: completion, summary,
      parse: { (text: String) throws(InvalidValue) in text })
  }
}

extension Argument where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
  /// An argument that takes one of the words of an enumeration.
  public init(_ name: String, required: Bool = true, _ summary: String) {
    let words = Value.allCases.map(\.rawValue)
    self.init(
      name, required: required, completion: .words(words), summary,
      parse: { (text: String) throws(InvalidValue) in try Value.choice(text, of: words) })
  }
}
