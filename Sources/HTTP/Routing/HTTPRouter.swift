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
    let path = RoutePath(request.target.path)
    for route in routes {
      guard let parameters = route.pattern.match(path) else { continue }
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
  func match(_ path: RoutePath) -> RouteParameters? {
    var parameters = RouteParameters()
    for (index, segment) in segments.enumerated() {
      guard index < path.segments.count else { return nil }
      let part = path.segments[index]
      switch segment {
      case .literal(let text):
        guard part == text || (path.hasEscapes && PercentEncoding.decode(part) == text) else { return nil }
      case .one(let name):
        guard !part.isEmpty, let value = path.hasEscapes ? PercentEncoding.decode(part) : String(part) else {
          return nil
        }
        parameters.values.append((name, value))
      case .rest(let name):
        parameters.values.append((name, String(path.text[part.startIndex...])))
        return parameters
      }
    }
    return path.segments.count == segments.count ? parameters : nil
  }
}

/// A path cut at its slashes, once for all patterns.
struct RoutePath {
  let text: String
  /// What is between the slashes; none if the path does not begin with one.
  let segments: [Substring]
  let hasEscapes: Bool

  init(_ text: String) {
    var text = text
    var hasEscapes = false
    var slashes: [Int] = []
    text.withUTF8 { bytes in
      for (offset, byte) in bytes.enumerated() {
        if byte == UInt8(ascii: "/") { slashes.append(offset) }
        if byte == UInt8(ascii: "%") { hasEscapes = true }
      }
    }
    self.text = text
    self.hasEscapes = hasEscapes
    guard slashes.first == 0 else {
      segments = []
      return
    }
    let utf8 = text.utf8
    segments = slashes.indices.map { number in
      let end = number + 1 < slashes.count ? slashes[number + 1] : utf8.count
      return text[
        utf8.index(utf8.startIndex, offsetBy: slashes[number] + 1)..<utf8.index(utf8.startIndex, offsetBy: end)]
    }
  }
}
