import PlainText

/// HTTP dates (RFC 9110 §5.6.7).
extension Timestamp {
  /// The moment as IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`, its fraction of a second dropped; nil after the year
  /// 9999, for which there is no such date.
  public var httpDate: String? { HTTPDate(secondsSince1970: microseconds / 1_000_000)?.description }

  /// Reads an HTTP date in one of its three forms; nil if `HTTPDate` refuses it.
  public init?(httpDate text: some StringProtocol) {
    guard let date = HTTPDate(text) else { return nil }
    self.init(microseconds: date.secondsSince1970 * 1_000_000)
  }
}
