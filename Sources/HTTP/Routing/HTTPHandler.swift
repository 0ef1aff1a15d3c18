/// A function that answers requests. It runs on the loop of the request's connection; its task is cancelled when the
/// client goes away.
///
/// An `HTTPRefusal` that it throws is the answer; an `HTTPError` of the request's body becomes 400, 408 or 413; anything
/// else 500.
public typealias HTTPHandler = nonisolated(nonsending) @Sendable (HTTPRequest) async throws -> HTTPResponse

/// Looks at a request and answers it at once, or says who will. It runs on the loop of the request's connection, without
/// a task, and must not wait for anything: for answers that lie ready, and for refusals.
public typealias HTTPDispatcher = @Sendable (HTTPRequest) -> HTTPReply

/// What a dispatcher says to a request.
public enum HTTPReply: Sendable {
  /// This is the answer.
  case response(HTTPResponse)
  /// This handler answers.
  case handler(HTTPHandler)
}
