import Testing

@testable import HTTP

@Suite("Routing")
struct RouterTests {
  private func router() -> HTTPRouter {
    var router = HTTPRouter()
    router.on(.get, "/") { _, _ in .text("root") }
    router.on(.get, "/health") { _, _ in .text("health") }
    router.on(.get, "/caf\u{e9}") { _, _ in .text("coffee") }
    router.on(.get, "/{key}") { _, parameters in .text("get \(parameters["key"] ?? "")") }
    router.on(.put, "/{key}") { _, parameters in .text("put \(parameters["key"] ?? "")") }
    router.on(.get, "/{key}/events") { _, parameters in .text("events of \(parameters["key"] ?? "")") }
    router.on(.get, "/files/{path...}") { _, parameters in .text("file \(parameters["path"] ?? "")") }
    return router
  }

  private func answer(_ method: HTTPMethod, _ target: String) async throws -> (HTTPResponse, String) {
    let response = try await router().respond(to: HTTPRequest(method, target))
    guard case .bytes(let bytes) = response.body else { return (response, "") }
    return (response, String(decoding: bytes, as: UTF8.self))
  }

  @Test(
    "a path leads to the first pattern that fits, its placeholders decoded",
    arguments: [
      ("/", "root"), ("/health", "health"), ("/hea%6Cth", "health"), ("/k1?policy=x", "get k1"),
      ("/a%20b%2Fc", "get a b/c"), ("/caf%C3%A9", "coffee"), ("/cafe%CC%81", "get cafe\u{301}"),
      ("/k1/events", "events of k1"), ("/files/a/b%20c", "file a/b%20c"), ("/files/", "file "),
    ])
  func matching(target: String, text: String) async throws {
    #expect(try await answer(.get, target).1 == text)
    #expect(try await answer(.head, target).1 == text)
  }

  @Test("a path without a route is 404", arguments: ["/k1/", "//", "/k1/other", "/%zz", "/%ff", "*", ""])
  func unknown(target: String) async throws { #expect(try await answer(.get, target).0.status == .notFound) }

  @Test("a method without a handler is 405 and told which there are")
  func otherMethod() async throws {
    let response = try await answer(.delete, "/k1").0
    #expect(response.status == .methodNotAllowed && response.fields[.allow] == "GET,HEAD,PUT")
    #expect(try await answer(.post, "/").0.fields[.allow] == "GET,HEAD")
  }

  @Test("middleware wraps handlers from the outside in")
  func middleware() async throws {
    func mark(_ name: String) -> HTTPMiddleware {
      { request, next in
        var response = try await next(request)
        response.fields.append("x-passed", name)
        return response
      }
    }
    let handler = HTTPChain.handler([mark("outer"), mark("inner")]) { _ in HTTPResponse(.ok) }
    #expect(try await handler(HTTPRequest(.get, "/")).fields.values("x-passed") == ["inner", "outer"])
  }

  @Test("what a handler refuses is a response for middleware")
  func refusals() async throws {
    let refused = try await HTTPChain.response(to: HTTPRequest(.get, "/")) { _ in throw HTTPRefusal(.conflict, "older")
    }
    #expect(refused.status == .conflict)
    let tooLarge = try await HTTPChain.response(to: HTTPRequest(.get, "/")) { _ in throw HTTPError.tooLarge(limit: 3) }
    #expect(tooLarge.status == .contentTooLarge)
  }

  @Test("events are lines that no data can break out of")
  func events() {
    #expect(
      ServerSentEvents.event("a\nb\r\nc", name: "x\ny", id: nil) == "event: x y\ndata: a\ndata: b\ndata: c\n\n")
    #expect(ServerSentEvents.event("", name: nil, id: "7") == "id: 7\ndata: \n\n")
  }
}
