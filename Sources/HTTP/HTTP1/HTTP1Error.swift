/// Why a head or body was refused. The connection cannot be used any further: where the next message starts is not known.
struct HTTP1Error: Error, Equatable {
  /// What a server answers; of a response it tells only whether the head was too large (431) or the body (413).
  let status: HTTPStatus
  /// What is wrong, for a person.
  let reason: String

  init(_ status: HTTPStatus, _ reason: String) {
    self.status = status
    self.reason = reason
  }

  static func malformed(_ reason: String) -> HTTP1Error { HTTP1Error(.badRequest, reason) }
}
