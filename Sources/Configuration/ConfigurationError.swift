/// What is wrong with a configuration, where, and what to do.
public struct ConfigurationError: Error, Hashable, Sendable {
  /// A place in a text: line and column count from 1, columns in code points.
  public struct Position: Hashable, Comparable, Sendable {
    /// The line.
    public var line: Int
    /// The column.
    public var column: Int

    /// Joins line and column.
    public init(line: Int, column: Int) {
      self.line = line
      self.column = column
    }

    /// In reading order.
    public static func < (a: Self, b: Self) -> Bool { (a.line, a.column) < (b.line, b.column) }
  }

  /// Name of the file, as the person gave it.
  public var file: String
  /// Where; nil if it concerns the whole text.
  public var position: Position?
  /// The key, from the root: `dht.bootstrap[2]`. Empty for what is wrong before there are keys.
  public var key: String
  /// What is wrong, as a sentence without its end.
  public var message: String
  /// What to do; nil if that is plain from the message.
  public var advice: String?

  /// Joins the parts; for what a program finds wrong itself.
  public init(file: String, position: Position? = nil, key: String, message: String, advice: String? = nil) {
    self.file = file
    self.position = position
    self.key = key
    self.message = message
    self.advice = advice
  }
}

extension ConfigurationError: CustomStringConvertible {
  /// `relay.toml:7:3: dht.port: 70000 is outside of 1…65535`
  public var description: String {
    let place = position.map { "\(file):\($0.line):\($0.column)" } ?? file
    return (key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)") + (advice.map { ". \($0)" } ?? "")
  }
}
