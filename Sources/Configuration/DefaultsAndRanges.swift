import PlainText

extension KeyedDecodingContainer {
  /// The value of `key`, or `value` if it is not given.
  public func decode<T: Decodable>(_ key: Key, default value: T) throws -> T {
    try decodeIfPresent(T.self, forKey: key) ?? value
  }

  /// The value of `key`, or `value` if it is not given.
  ///
  /// - Throws: an error that names key, value and range if it lies outside of `range`.
  public func decode<T: Decodable & Comparable>(
    _ key: Key, default value: T, in range: ClosedRange<T>
  ) throws -> T {
    guard let given = try decodeIfPresent(T.self, forKey: key) else { return value }
    guard range.contains(given) else {
      throw invalid(key, "\(given) is outside of \(range.lowerBound)…\(range.upperBound)")
    }
    return given
  }

  /// One of the words of an enumeration, or `value` if the key is not given.
  ///
  /// - Throws: an error that lists the words if it is none of them.
  public func decode<T: RawRepresentable & CaseIterable>(
    _ key: Key, default value: T
  ) throws -> T where T.RawValue == String {
    guard let given = try decodeIfPresent(String.self, forKey: key) else { return value }
    guard let choice = T(rawValue: given) else {
      throw invalid(key, "\"\(given)\" is none of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return choice
  }

  /// A duration such as `"1h30m"` or a number of seconds, or `value` if the key is not given.
  ///
  /// - Throws: an error that names key, value and range if it is no duration or lies outside of `range`.
  public func decode(_ key: Key, default value: Duration, in range: ClosedRange<Duration>) throws -> Duration {
    guard contains(key) else { return value }
    let text = try (try? decode(Int64.self, forKey: key)).map(String.init) ?? decode(String.self, forKey: key)
    guard let given = DurationText.parse(text) else {
      throw invalid(key, "\"\(text)\" is not a duration; write seconds (90) or units (\"5m\", \"1h30m\", \"2d\")")
    }
    guard range.contains(given) else {
      let bounds = "\(DurationText.describe(range.lowerBound))…\(DurationText.describe(range.upperBound))"
      throw invalid(key, "\(DurationText.describe(given)) is outside of \(bounds)")
    }
    return given
  }

  /// An error about the value of `key`, for checks of your own.
  public func invalid(_ key: Key, _ message: String) -> DecodingError {
    .dataCorruptedError(forKey: key, in: self, debugDescription: message)
  }
}
