/// A request as HTTP/2 delivers it (RFC 9113 §8.3.1).
struct HTTP2RequestHead: Sendable, Equatable {
  var method: HTTPMethod
  /// Path and query, or `*`.
  var target: HTTPTarget
  /// `:authority`, or `host` in its place.
  var authority: String?
  /// `http` or `https`, as the client believes.
  var scheme: String
  /// All fields but `host`; several `cookie` fields are joined to one (§8.2.3).
  var fields: HTTPFields
  /// What `content-length` says; nghttp2 sees to it that the body has that length.
  var contentLength: UInt64?
  /// True if there is no body.
  var endsStream: Bool
}

/// The body of a response.
enum HTTP2ResponseBody: Sendable {
  /// None: the stream ends with the head.
  case none
  /// These bytes.
  case bytes([UInt8])
  /// What ``HTTP2Session/write(_:_:)`` brings, until ``HTTP2Session/finish(_:trailers:)``.
  case stream
}
