import PlainText

/// Conditional requests (RFC 9110 §13).
public enum HTTPPreconditions {
  /// What the conditions of a request say.
  public enum Outcome: Hashable, Sendable {
    /// They hold, or there are none: do what the request asks for.
    case proceed
    /// The client has it already: answer 304 with the fields that a 200 would have had (`etag`, `cache-control`, …).
    case notModified
    /// A condition is false: answer 412 and change nothing.
    case preconditionFailed
  }

  /// Evaluates `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since` in the order of §13.2.2.
  ///
  /// Ask only when the answer without conditions would be a success (§13.2.1), and before the request is carried out.
  ///
  /// - Parameters:
  ///   - method: `If-Modified-Since` counts for `GET` and `HEAD` only; `CONNECT`, `OPTIONS` and `TRACE` have no conditions.
  ///   - fields: the request's. A date that cannot be read, or that comes twice, is as good as absent.
  ///   - etag: the tag of the current representation; nil if it has none.
  ///   - lastModified: when it last changed; nil if that is not known.
  ///   - exists: false if there is no current representation, as before a `PUT` that creates one.
  public static func evaluate(
    method: HTTPMethod, fields: HTTPFields, etag: HTTPEntityTag? = nil, lastModified: HTTPDate? = nil,
    exists: Bool = true
  ) -> Outcome {
    if method == .options || method == .trace || method == .connect { return .proceed }
    let isRead = method == .get || method == .head
    if let list = fields.joined(.ifMatch) {
      if !isTrue(list, exists, { tag in etag.map(tag.matchesStrongly) ?? false }) { return .preconditionFailed }
    } else if let limit = date(fields, .ifUnmodifiedSince), let lastModified, exists, lastModified > limit {
      return .preconditionFailed
    }
    if let list = fields.joined(.ifNoneMatch) {
      if isTrue(list, exists, { tag in etag.map(tag.matchesWeakly) ?? false }) {
        return isRead ? .notModified : .preconditionFailed
      }
    } else if isRead, let since = date(fields, .ifModifiedSince), let lastModified, exists, lastModified <= since {
      return .notModified
    }
    return .proceed
  }

  /// True if one of the tags is that of the representation, or if there is one and any will do.
  private static func isTrue(_ list: String, _ exists: Bool, _ matches: (HTTPEntityTag) -> Bool) -> Bool {
    guard exists else { return false }
    switch HTTPEntityTagList(list) {
    case .any: return true
    case .tags(let tags): return tags.contains(where: matches)
    }
  }

  private static func date(_ fields: HTTPFields, _ name: HTTPFieldName) -> HTTPDate? {
    guard fields.contains(name) else { return nil }
    let values = fields.values(name)
    return values.count == 1 ? HTTPDate(values[0]) : nil
  }
}
