/// What was given to a command. All values have been checked.
public struct ParsedArguments: Sendable {
  var options: [String: [String]] = [:]
  var arguments: [String: [String]] = [:]

  /// True if the flag was given.
  public subscript(flag: Flag) -> Bool { options[flag.specification.name] != nil }

  /// The value of an option (the last, if it is repeatable); nil if it was not given.
  public subscript<Value>(option: Option<Value>) -> Value? { all(option).last }

  /// The values of a repeatable option, in order.
  public func all<Value>(_ option: Option<Value>) -> [Value] {
    (options[option.specification.name] ?? []).compactMap { try? option.parse($0) }
  }

  /// The value of an argument; nil if it was not given.
  public subscript<Value>(argument: Argument<Value>) -> Value? { all(argument).first }

  /// The values of a repeatable argument, in order.
  public func all<Value>(_ argument: Argument<Value>) -> [Value] {
    (arguments[argument.specification.name] ?? []).compactMap { try? argument.parse($0) }
  }

  /// The value of an argument that the command cannot do without.
  ///
  /// - Throws: `CommandError` if it was not given; the parser has seen to that for required ones.
  public func required<Value>(_ argument: Argument<Value>) throws(CommandError) -> Value {
    guard let value = self[argument] else { throw .usage("\(argument.specification.name) is missing") }
    return value
  }

  /// The value of an option that the command cannot do without.
  ///
  /// - Throws: `CommandError` if it was not given.
  public func required<Value>(_ option: Option<Value>) throws(CommandError) -> Value {
    guard let value = self[option] else {
      let specification = option.specification
      throw .usage(
        "--\(specification.name) \(specification.valueName ?? "") is missing", advice: specification.summary + ".")
    }
    return value
  }
}
