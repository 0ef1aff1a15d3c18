/// Finds the handler of a request by method and path.
///
/// ```swift
/// var router = HTTPRouter()
/// router.on(.get, "/health") { request, _ in .text("ok") }
/// router.on(.put, "/{key}", bodyLimit: 1072) { request, parameters in … parameters["key"] … }
/// let server = HTTPServer(configuration, on: [loop], handler: router.handler)
/// ```
///
/// A pattern is a path whose segments are literal or `{name}`, which stands for one segment of any text, decoded; a last
/// segment `{name...}` stands for all that follows, still encoded. Of several patterns that fit, the one that was added
/// first wins. `HEAD` is answered by the handler of `GET`. A path without a handler is 404, one without a handler for the
/// method 405 with `allow`.
public struct HTTPRouter: Sendable {
  /// Answers requests for one pattern.
  public typealias Handler =
    nonisolated(nonsending) @Sendable (HTTPRequest, RouteParameters) async throws -> HTTPResponse

  private struct Route: Sendable {
    let pattern: RoutePattern
    /// In the order added.
    var handlers: [(method: HTTPMethod, bodyLimit: UInt64?, handler: Handler)]
  }

  private var routes: [Route] = []
  /// Answers requests for paths without a route.
  public var notFound: HTTPHandler = { _ in HTTPResponse(.notFound) }

  /// No routes.
  public init() {}

  /// Adds a handler for a method and a pattern.
  ///
  /// `bodyLimit`: the longest body in bytes; a longer one is answered with 413 before the handler is called if its length
  /// is announced, and makes reading throw `HTTPError.tooLarge` if not.
  public mutating func on(
    _ method: HTTPMethod, _ pattern: String, bodyLimit: UInt64? = nil, _ handler: @escaping Handler
  ) {
    let pattern = RoutePattern(pattern)
    let entry = (method, bodyLimit, handler)
    if let index = routes.firstIndex(where: { $0.pattern == pattern }) {
      routes[index].handlers.append(entry)
    } else {
      routes.append(Route(pattern: pattern, handlers: [entry]))
    }
  }

  /// The router as a handler.
  public var handler: HTTPHandler { { request in try await respond(to: request) } }

  /// Answers a request.
  public nonisolated(nonsending) func respond(to request: HTTPRequest) async throws -> HTTPResponse {
    let path = request.target.path
    let hasEscapes = path.utf8.contains(UInt8(ascii: "%"))
    for route in routes {
      guard let parameters = route.pattern.match(path, hasEscapes: hasEscapes) else { continue }
      let method = request.method == .head ? HTTPMethod.get : request.method
      guard
        let entry = route.handlers.first(where: { $0.method == request.method })
          ?? route.handlers.first(where: { $0.method == method })
      else { return Self.methodNotAllowed(route.handlers.map(\.method)) }
      if let limit = entry.bodyLimit {
        if let length = request.body.announcedLength, length > limit { throw HTTPError.tooLarge(limit: Int(limit)) }
        request.body.limit(to: limit)
      }
      return try await entry.handler(request, parameters)
    }
    return try await notFound(request)
  }

  private static func methodNotAllowed(_ methods: [HTTPMethod]) -> HTTPResponse {
    var allowed = methods.map(\.text)
    if let get = allowed.firstIndex(of: "GET"), !allowed.contains("HEAD") { allowed.insert("HEAD", at: get + 1) }
    return HTTPResponse(.methodNotAllowed, fields: [.allow: allowed.joined(separator: ",")])
  }
}

/// What the placeholders of a pattern stand for.
public struct RouteParameters: Sendable {
  var values: [(name: String, value: String)] = []

  /// The text for `{name}`; nil if the pattern has no such placeholder.
  public subscript(name: String) -> String? { values.first { $0.name == name }?.value }
}

/// A path with placeholders.
struct RoutePattern: Equatable, Sendable {
  enum Segment: Equatable {
    case literal(String)
    case one(name: String)
    case rest(name: String)
  }

  let segments: [Segment]

  init(_ text: String) {
    precondition(text.utf8.first == UInt8(ascii: "/"), "a pattern begins with a slash")
    segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
      guard part.first == "{", part.last == "}" else { return .literal(String(part)) }
      let name = part.dropFirst().dropLast()
      return name.hasSuffix("...") ? .rest(name: String(name.dropLast(3))) : .one(name: String(name))
    }
  }

  /// What the placeholders stand for if the path fits; a broken escape fits nothing.
  func match(_ path: String, hasEscapes: Bool) -> RouteParameters? {
    let utf8 = path.utf8
    guard utf8.first == UInt8(ascii: "/") else { return nil }
    var parameters = RouteParameters()
    var start = utf8.index(after: utf8.startIndex)
    for (index, segment) in segments.enumerated() {
      if case .rest(let name) = segment {
        parameters.values.append((name, String(path[start...])))
        return parameters
      }
      let end = utf8[start...].firstIndex(of: UInt8(ascii: "/")) ?? utf8.endIndex
      let part = path[start..<end]
      switch segment {
      case .literal(let text):
        guard part == text || (hasEscapes && PercentEncoding.decode(part) == text) else { return nil }
      case .one(let name):
        guard !part.isEmpty, let value = hasEscapes ? PercentEncoding.decode(part) : String(part) else { return nil }
        parameters.values.append((name, value))
      case .rest: break
      }
      let isLast = index == segments.count - 1
      if isLast { return end == utf8.endIndex ? parameters : nil }
      guard end != utf8.endIndex else { return nil }
      start = utf8.index(after: end)
    }
    return nil
  }
}
