/// A function that answers requests. It runs on the loop of the request's connection; its task is cancelled when the
/// client goes away.
///
/// An `HTTPRefusal` that it throws is the answer; an `HTTPError` of the request's body becomes 400, 408 or 413; anything
/// else 500.
public typealias HTTPHandler = nonisolated(nonsending) @Sendable (HTTPRequest) async throws -> HTTPResponse
