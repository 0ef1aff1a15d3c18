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
  public func respond(to request: HTTPRequest) async throws -> HTTPResponse {
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
    guard path.segments.count >= segments.count else { return nil }
    var parameters = RouteParameters()
    for (index, segment) in segments.enumerated() {
      switch segment {
      case .literal(let text):
        guard path.segment(index, isSpelledAs: text) else { return nil }
      case .one(let name):
        guard let value = path.segment(index), !value.isEmpty else { return nil }
        parameters.values.append((name, value))
      case .rest(let name):
        parameters.values.append((name, path.text(from: index)))
        return parameters
      }
    }
    return path.segments.count == segments.count ? parameters : nil
  }
}

/// A path cut at its slashes, once for all patterns.
struct RoutePath {
  private let text: String
  /// The bytes between the slashes; none if the path does not begin with one.
  let segments: [Range<Int>]
  private let hasEscapes: Bool

  init(_ text: String) {
    var text = text
    (segments, hasEscapes) = text.withUTF8 { bytes in
      let bytes = UnsafeRawBufferPointer(bytes)
      return (Self.cut(bytes), OctetScan.first(UInt8(ascii: "%"), in: bytes, from: 0) != nil)
    }
    self.text = text
  }

  private static func cut(_ bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
    guard bytes.first == UInt8(ascii: "/") else { return [] }
    var segments: [Range<Int>] = []
    var start = 1
    while let slash = OctetScan.first(UInt8(ascii: "/"), in: bytes, from: start) {
      segments.append(start..<slash)
      start = slash + 1
    }
    segments.append(start..<bytes.count)
    return segments
  }

  /// A segment, decoded; nil if an escape is broken.
  func segment(_ index: Int) -> String? {
    let part = part(segments[index])
    return hasEscapes ? PercentEncoding.decode(part) : String(part)
  }

  /// True if a segment is these bytes, decoded. (For `==` of texts characters count, however they are put together.)
  func segment(_ index: Int, isSpelledAs text: String) -> Bool {
    if hasEscapes { return segment(index)?.utf8.elementsEqual(text.utf8) == true }
    // Most are of another length.
    return segments[index].count == text.utf8.count && part(segments[index]).utf8.elementsEqual(text.utf8)
  }

  /// All from a segment on, still encoded.
  func text(from index: Int) -> String { String(part(segments[index].lowerBound..<text.utf8.count)) }

  private func part(_ range: Range<Int>) -> Substring {
    let start = text.utf8.index(text.utf8.startIndex, offsetBy: range.lowerBound)
    return text[start..<text.utf8.index(start, offsetBy: range.count)]
  }
}
