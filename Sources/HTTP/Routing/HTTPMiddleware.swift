/// A function around a handler: it may change the request, answer by itself, or change the response.
public typealias HTTPMiddleware =
  nonisolated(nonsending) @Sendable (_ request: HTTPRequest, _ next: HTTPHandler) async throws -> HTTPResponse

/// A handler behind middleware.
///
///     let handler = HTTPChain.handler([logging, limits, cors], router.handler)
public enum HTTPChain {
  /// The first middleware is the outermost.
  public static func handler(_ middleware: [HTTPMiddleware], _ handler: @escaping HTTPHandler) -> HTTPHandler {
    middleware.reversed().reduce(handler) { next, middleware in { request in try await middleware(request, next) } }
  }

  /// Turns what a handler throws into the response that the server would send, so that middleware can add to it.
  ///
  /// Errors that become 500 pass through.
  public static func response(
    to request: HTTPRequest, _ handler: HTTPHandler
  ) async throws -> HTTPResponse {
    do {
      return try await handler(request)
    } catch let refusal as HTTPRefusal {
      return refusal.response
    } catch let error as HTTPError {
      return error.response
    }
  }
}

extension HTTPError {
  /// What a server answers when reading a request's body fails with this: 400, 408 or 413 and a line of text.
  public var response: HTTPResponse {
    let status: HTTPStatus =
      switch self {
      case .tooLarge: .contentTooLarge
      case .timedOut: .requestTimeout
      default: .badRequest
      }
    return .text("\(self)", status: status)
  }
}
