import HTTP

/// What tells browsers that any page may use the relay, with whatever it sends (Fetch §3.2).
///
/// The origin is echoed instead of `*`, since that is what browsers want where credentials are allowed.
enum CORS {
  /// Fields that browsers hand to the page besides the few that they always do.
  static let exposed =
    "pkarr-invalid-signed-packet-seq,pkarr-dht-stored-nodes,memento-datetime,retry-after,etag"
  /// What answers depend on.
  static let vary = "origin, access-control-request-method, access-control-request-headers"

  /// The fields of every answer but those to `OPTIONS`, whatever was asked.
  static let fixedFields: HTTPFields = [
    .accessControlAllowCredentials: "true", .vary: vary, .accessControlExposeHeaders: exposed,
  ]

  /// The fields of an answer to a request with these fields, `OPTIONS` excepted.
  static func fields(for request: HTTPFields) -> HTTPFields {
    var fields = fixedFields
    appendOrigin(of: request, to: &fields)
    return fields
  }

  /// Echoes the origin of a request, if it has one.
  static func appendOrigin(of request: HTTPFields, to fields: inout HTTPFields) {
    request.withValue(.origin) { fields.append(.accessControlAllowOrigin, $0) }
  }

  /// The answer to any request with `OPTIONS`, asked before another request or not.
  static func preflight(_ request: HTTPFields) -> HTTPResponse {
    var fields: HTTPFields = [.accessControlAllowCredentials: "true", .vary: vary]
    appendOrigin(of: request, to: &fields)
    request.withValue(.accessControlRequestMethod) { fields.append(.accessControlAllowMethods, $0) }
    request.withValue(.accessControlRequestHeaders) { fields.append(.accessControlAllowHeaders, $0) }
    return HTTPResponse(.ok, fields: fields)
  }
}
