import HTTP

/// Names of fields that a relay sends or reads, made once.
extension HTTPFieldName {
  static let forwarded: HTTPFieldName = "forwarded"
  /// When the relay last saw the packet on the network (RFC 7089).
  static let mementoDatetime: HTTPFieldName = "memento-datetime"
  /// How many nodes of the DHT stored a published packet.
  static let dhtStoredNodes: HTTPFieldName = "pkarr-dht-stored-nodes"
  /// The version of something signed that is no packet.
  static let invalidSignedPacketSeq: HTTPFieldName = "pkarr-invalid-signed-packet-seq"
  static let xForwardedFor: HTTPFieldName = "x-forwarded-for"
  static let xRateLimitAfter: HTTPFieldName = "x-ratelimit-after"
  static let xRateLimitLimit: HTTPFieldName = "x-ratelimit-limit"
  static let xRateLimitRemaining: HTTPFieldName = "x-ratelimit-remaining"
  static let xRealIP: HTTPFieldName = "x-real-ip"
}
