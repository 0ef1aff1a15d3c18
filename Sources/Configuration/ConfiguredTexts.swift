extension KeyedDecodingContainer {
  /// Reads one text or a list of texts, each with `read`; nil if the key is not given.
  ///
  /// Throws an error that names the key and calls `what` the thing that was expected, or if there are more than `count`.
  public func texts<Value>(
    _ key: Key, _ what: String, count: Int = 1000, _ read: (String) -> Value?
  ) throws -> [Value]? {
    guard contains(key) else { return nil }
    let texts = try (try? decode([String].self, forKey: key)) ?? [decode(String.self, forKey: key)]
    guard texts.count <= count else { throw invalid(key, "\(texts.count) are given, at most \(count) can be used") }
    return try texts.map { text in
      guard let value = read(text) else { throw invalid(key, "\"\(text)\" is not \(what)") }
      return value
    }
  }
}
