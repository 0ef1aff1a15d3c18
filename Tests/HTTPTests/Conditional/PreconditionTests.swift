import HTTP
import PlainText
import Testing

@Suite("Entity tags")
struct EntityTagTests {
  @Test("tags are read and written")
  func text() throws {
    #expect(try #require(HTTPEntityTag(parsing: "\"a,b\"")).description == "\"a,b\"")
    let weak = try #require(HTTPEntityTag(parsing: "W/\"\""))
    #expect(weak.isWeak && weak.text.isEmpty && weak.description == "W/\"\"")
    #expect(HTTPEntityTag("x")?.description == "\"x\"")
    #expect(HTTPEntityTag("x", isWeak: true)?.description == "W/\"x\"")
  }

  @Test(
    "anything else is none",
    arguments: ["", "a", "\"", "\"a", "a\"", "w/\"a\"", "W/a", "W/", "\"a\" ", "\"a\"b", "\"a b\"", "\"a\u{7f}\"", "*"])
  func malformed(text: String) { #expect(HTTPEntityTag(parsing: text) == nil) }

  @Test("a tag's text has no quotes and no spaces")
  func badText() {
    #expect(HTTPEntityTag("a\"b") == nil)
    #expect(HTTPEntityTag("a b") == nil)
    #expect(HTTPEntityTag("a\n") == nil)
  }

  @Test("the comparisons of RFC 9110 §8.8.3.2")
  func comparison() throws {
    let weak1 = try #require(HTTPEntityTag("1", isWeak: true))
    let weak2 = try #require(HTTPEntityTag("2", isWeak: true))
    let strong1 = try #require(HTTPEntityTag("1"))
    #expect(!weak1.matchesStrongly(weak1) && weak1.matchesWeakly(weak1))
    #expect(!weak1.matchesStrongly(weak2) && !weak1.matchesWeakly(weak2))
    #expect(!weak1.matchesStrongly(strong1) && weak1.matchesWeakly(strong1))
    #expect(strong1.matchesStrongly(strong1) && strong1.matchesWeakly(strong1))
  }
}

@Suite("Conditional requests")
struct PreconditionTests {
  private let tag = HTTPEntityTag("a")
  private let weak = HTTPEntityTag("a", isWeak: true)
  private let changed = HTTPDate("Sun, 06 Nov 1994 08:49:37 GMT")
  private let before = "Sun, 06 Nov 1994 08:49:36 GMT"
  private let same = "Sun, 06 Nov 1994 08:49:37 GMT"
  private let after = "Sun, 06 Nov 1994 08:49:38 GMT"

  @Test("without conditions a request proceeds")
  func none() {
    #expect(HTTPPreconditions.evaluate(method: .get, fields: [:], etag: tag, lastModified: changed) == .proceed)
    #expect(HTTPPreconditions.evaluate(method: .put, fields: [:], exists: false) == .proceed)
  }

  @Test(
    "If-Match wants one of its tags, strongly",
    arguments: [
      ("\"a\"", true), ("\"b\", \"a\"", true), ("*", true), (" * ", true), ("\"b\"", false), ("W/\"a\"", false),
      ("", false),
      ("a", false), ("\"b\", *", false), ("\"a", false), (",,\"a\",", true), ("\"b\" \"a\"", true),
    ])
  func ifMatch(value: String, holds: Bool) {
    for method in [HTTPMethod.get, .put, .delete] {
      let outcome = HTTPPreconditions.evaluate(method: method, fields: ["if-match": value], etag: tag)
      #expect(outcome == (holds ? .proceed : .preconditionFailed))
      // A weak tag, or none, matches only the asterisk.
      let isAny = value.contains("*") && holds
      let others = [
        HTTPPreconditions.evaluate(method: method, fields: ["if-match": value], etag: weak),
        HTTPPreconditions.evaluate(method: method, fields: ["if-match": value]),
      ]
      for other in others { #expect(other == (isAny ? .proceed : .preconditionFailed)) }
    }
    #expect(
      HTTPPreconditions.evaluate(method: .put, fields: ["if-match": value], exists: false) == .preconditionFailed)
  }

  @Test(
    "If-None-Match wants none of its tags, weakly: who has the version reads 304, who would change it 412",
    arguments: [
      ("\"a\"", true), ("W/\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("", false),
      ("a", false),
      ("\"a, b\"", false),
    ])
  func ifNoneMatch(value: String, matches: Bool) {
    for current in [tag, weak] {
      func outcome(_ method: HTTPMethod) -> HTTPPreconditions.Outcome {
        HTTPPreconditions.evaluate(method: method, fields: ["if-none-match": value], etag: current)
      }
      #expect(outcome(.get) == (matches ? .notModified : .proceed))
      #expect(outcome(.head) == (matches ? .notModified : .proceed))
      #expect(outcome(.put) == (matches ? .preconditionFailed : .proceed))
    }
  }

  @Test("If-None-Match: * is a PUT that only creates")
  func createOnly() {
    let fields: HTTPFields = ["if-none-match": "*"]
    #expect(HTTPPreconditions.evaluate(method: .put, fields: fields, exists: false) == .proceed)
    #expect(HTTPPreconditions.evaluate(method: .put, fields: fields, exists: true) == .preconditionFailed)
  }

  @Test("tags on several lines are one list")
  func lines() {
    var fields: HTTPFields = ["if-none-match": "\"b\""]
    fields.append("if-none-match", "\"a\"")
    #expect(HTTPPreconditions.evaluate(method: .get, fields: fields, etag: tag) == .notModified)
  }

  @Test("If-Modified-Since: 304 unless it changed later, for GET and HEAD")
  func ifModifiedSince() {
    func outcome(_ date: String, _ method: HTTPMethod, _ lastModified: HTTPDate?) -> HTTPPreconditions.Outcome {
      HTTPPreconditions.evaluate(method: method, fields: ["if-modified-since": date], lastModified: lastModified)
    }
    #expect(outcome(before, .get, changed) == .proceed)
    #expect(outcome(same, .get, changed) == .notModified)
    #expect(outcome(after, .head, changed) == .notModified)
    #expect(outcome(after, .put, changed) == .proceed)
    #expect(outcome(after, .get, nil) == .proceed)
    #expect(outcome("yesterday", .get, changed) == .proceed)
    var twice: HTTPFields = ["if-modified-since": after]
    twice.append("if-modified-since", after)
    #expect(HTTPPreconditions.evaluate(method: .get, fields: twice, lastModified: changed) == .proceed)
  }

  @Test("If-Unmodified-Since: 412 if it changed later, for any method")
  func ifUnmodifiedSince() {
    func outcome(_ date: String, _ method: HTTPMethod, _ lastModified: HTTPDate?) -> HTTPPreconditions.Outcome {
      HTTPPreconditions.evaluate(method: method, fields: ["if-unmodified-since": date], lastModified: lastModified)
    }
    #expect(outcome(before, .put, changed) == .preconditionFailed)
    #expect(outcome(before, .get, changed) == .preconditionFailed)
    #expect(outcome(same, .put, changed) == .proceed)
    #expect(outcome(after, .delete, changed) == .proceed)
    #expect(outcome(before, .put, nil) == .proceed)
    #expect(outcome("", .put, changed) == .proceed)
  }

  @Test("tags come before dates, and If-Match before If-None-Match (RFC 9110 §13.2.2)")
  func precedence() {
    func outcome(_ method: HTTPMethod, _ fields: HTTPFields) -> HTTPPreconditions.Outcome {
      HTTPPreconditions.evaluate(method: method, fields: fields, etag: tag, lastModified: changed)
    }
    #expect(outcome(.get, ["if-none-match": "\"b\"", "if-modified-since": after]) == .proceed)
    #expect(outcome(.get, ["if-none-match": "\"a\"", "if-modified-since": before]) == .notModified)
    #expect(outcome(.put, ["if-match": "\"a\"", "if-unmodified-since": before]) == .proceed)
    #expect(outcome(.get, ["if-match": "\"b\"", "if-none-match": "\"a\""]) == .preconditionFailed)
    #expect(outcome(.get, ["if-match": "\"a\"", "if-none-match": "\"a\""]) == .notModified)
    #expect(outcome(.get, ["if-unmodified-since": after, "if-modified-since": after]) == .notModified)
    #expect(outcome(.get, ["if-unmodified-since": before, "if-none-match": "\"a\""]) == .preconditionFailed)
  }

  @Test("methods that select nothing have no conditions", arguments: [HTTPMethod.options, .trace, .connect])
  func unconditional(method: HTTPMethod) {
    #expect(HTTPPreconditions.evaluate(method: method, fields: ["if-match": "\"b\""], etag: tag) == .proceed)
  }
}
