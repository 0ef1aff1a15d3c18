import HTTP
import PkarrClient

extension ResolvePolicy {
  /// The policy that a query asks for: `policy=CacheOnly`, `CacheFirst` (also without a word) or `NetworkOnly`.
  ///
  /// Throws `RelayFailure.invalidQuery` for any other value and if it is given twice. Other parameters are ignored.
  init(query: String?) throws(RelayFailure) {
    var found: ResolvePolicy?
    // By bytes: for a String a separator and the accent behind it would be one character.
    for pair in (query ?? "").utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard PercentEncoding.decode(Substring(parts[0]), plusIsSpace: true) == "policy" else { continue }
      if found != nil { throw .invalidQuery("duplicate field `policy`") }
      let text = parts.count > 1 ? Substring(parts[1]) : ""
      let value = PercentEncoding.decode(text, plusIsSpace: true) ?? String(text)
      guard let policy = ResolvePolicy(rawValue: value) else {
        throw .invalidQuery("policy: unknown variant `\(value)`, expected CacheOnly, CacheFirst or NetworkOnly")
      }
      found = policy
    }
    self = found ?? .cacheFirst
  }
}
