extension HTTPFields {
  /// Fields that must not stand in a trailer section, where some readers would mistake them: they frame or route the
  /// message, authenticate, change what the request means, or say how to treat the content (RFC 9110 §6.5.1).
  private static let headOnly: Set<String> = [
    "connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",
    "forwarded", "max-forwards", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
    "authorization", "cookie", "proxy-authenticate", "proxy-authorization", "set-cookie", "www-authenticate",
    "cache-control", "expect", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
    "pragma", "range",
    "age", "content-encoding", "content-range", "content-type", "date", "expires", "location", "retry-after", "vary",
    "warning",
  ]

  /// The fields without those that only a head may have.
  var withoutThoseOfHeads: HTTPFields {
    HTTPFields(
      bytes: bytes, entries: entries.indices.filter { !Self.headOnly.contains(name(at: $0)) }.map { entries[$0] })
  }
}
