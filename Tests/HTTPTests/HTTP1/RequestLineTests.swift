import Testing

@testable import HTTP

@Suite("The request line")
struct RequestLineTests {
  @Test("a request is taken apart: method, path, query, host, fields")
  func plain() throws {
    let message = "GET /where?q=now HTTP/1.1\r\nHost: www.example.com:80\r\nAccept:text/*\r\nX-Empty:\r\n\r\nnext"
    let (head, length) = try #require(try parseRequest(message))
    #expect(length == message.utf8.count - 4)
    #expect(head.method == .get)
    #expect(head.target == HTTPTarget("/where?q=now"))
    #expect(head.target.path == "/where" && head.target.query == "q=now")
    #expect(head.authority == "www.example.com:80")
    #expect(head.version == .http11)
    #expect(head.framing == .none && head.keepsAlive && !head.expectsContinue)
    #expect(head.fields == ["host": "www.example.com:80", "accept": "text/*", "x-empty": ""])
  }

  @Test(
    "a target in origin form is kept as it is",
    arguments: [
      ("/", "/", nil), ("/?", "/", ""), ("/a/b%20c?d=e?f", "/a/b%20c", "d=e?f"), ("//x", "//x", nil),
      ("/..;/%2e%2E", "/..;/%2e%2E", nil), ("/a|b\"{}^`\\<>", "/a|b\"{}^`\\<>", nil),
    ] as [(String, String, String?)])
  func originForm(target: String, path: String, query: String?) throws {
    let head = try #require(try parseRequest(request("GET \(target) HTTP/1.1"))).head
    #expect(head.target.path == path && head.target.query == query)
    #expect(head.target.description == target)
  }

  @Test(
    "a target in absolute form gives the host, whatever the Host field says",
    arguments: [
      ("http://b.example/x?y", "b.example", "/x?y"), ("HTTP://b.example:8080", "b.example:8080", "/"),
      ("https://[2001:db8::1]/", "[2001:db8::1]", "/"), ("http://b.example?q", "b.example", "/?q"),
    ])
  func absoluteForm(target: String, authority: String, path: String) throws {
    let head = try #require(try parseRequest(request("GET \(target) HTTP/1.1"))).head
    #expect(head.authority == authority)
    #expect(head.target.description == path)
    #expect(head.fields[.host] == "a.example")
    #expect(refusal(request("GET \(target) HTTP/1.1", host: false)) == 400)
  }

  @Test("OPTIONS may ask about the server as a whole, others not")
  func asterisk() throws {
    #expect(try parseRequest(request("OPTIONS * HTTP/1.1"))?.head.target == HTTPTarget("*"))
    #expect(try parseRequest(request("OPTIONS http://b.example HTTP/1.1"))?.head.target == HTTPTarget("*"))
    #expect(try parseRequest(request("OPTIONS http://b.example/ HTTP/1.1"))?.head.target == HTTPTarget("/"))
    #expect(refusal(request("GET * HTTP/1.1")) == 400)
    #expect(refusal(request("OPTIONS ** HTTP/1.1")) == 400)
  }

  @Test("no tunnels: CONNECT is 501, in any form")
  func connect() {
    #expect(refusal(request("CONNECT a.example:443 HTTP/1.1")) == 501)
    #expect(refusal(request("CONNECT / HTTP/1.1")) == 501)
  }

  @Test(
    "a target that is none of these is refused",
    arguments: [
      "a", "a/b", "?q", "http:/b/", "http:", "http://", "http:///x", "ftp://b.example/", "http://u@b.example/",
      "http://b.example:x/", "https//b.example/", "/a#b", "http://b#/", "b.example:80", "/\u{e9}", "/a\u{7f}", ":",
    ])
  func badTargets(target: String) { #expect(refusal(request("GET \(target) HTTP/1.1")) == 400) }

  @Test(
    "the words are separated by one space each, and there are three",
    arguments: [
      "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1",
      "GET / a HTTP/1.1", "GET HTTP/1.1", "GET", "GET ", "G@T / HTTP/1.1", "GET: / HTTP/1.1", "\u{e9} / HTTP/1.1",
    ])
  func badLines(line: String) { #expect(refusal(request(line)) == 400) }

  @Test("methods are tokens, case-sensitive, of any name up to 32 bytes")
  func methods() throws {
    for name in [
      "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "M-SEARCH", "X!#$%&'*+.^_`|~",
    ] {
      let head = try #require(try parseRequest(request("\(name) / HTTP/1.1"))).head
      #expect(head.method == HTTPMethod(name))
      #expect(head.method.text == name)
    }
    #expect(try parseRequest(request("get / HTTP/1.1"))?.head.method != .get)
    let long = String(repeating: "M", count: 32)
    #expect(try parseRequest(request("\(long) / HTTP/1.1"))?.head.method.text == long)
    #expect(refusal(request("\(long)M / HTTP/1.1")) == 501)
  }

  @Test(
    "a version that is malformed is refused with 400, another major version with 505",
    arguments: [
      ("HTTP/1", 400), ("HTTP/1.", 400), ("HTTP/1.1.1", 400), ("HTTP/11.1", 400), ("http/1.1", 400), ("HTTP/1.x", 400),
      ("HTTP/x.1", 400), ("HTTP 1.1", 400), ("HTTP/1,1", 400), ("HTTPS/1.1", 400), ("HTTP/1.1x", 400),
      ("XTTP/1.1", 400),
      ("HTTP/0.9", 505), ("HTTP/2.0", 505), ("HTTP/3.0", 505), ("HTTP/9.9", 505),
    ])
  func versions(version: String, status: Int) { #expect(refusal(request("GET / \(version)")) == status) }

  @Test("minor versions: 1.0 is told apart, later ones are read as 1.1")
  func minorVersions() throws {
    #expect(try parseRequest(request("GET / HTTP/1.0"))?.head.version == .http10)
    #expect(try parseRequest(request("GET / HTTP/1.9"))?.head.version == .http11)
  }

  @Test("HTTP/0.9 has no version and is refused")
  func simpleRequest() {
    #expect(refusal("GET /\r\n") == 400)
    #expect(refusal("GET /\r\n\r\n") == 400)
  }

  @Test("one or two empty lines in front of a request are passed over, a third is not")
  func blankLines() throws {
    let plain = request("GET / HTTP/1.1")
    #expect(try parseRequest("\r\n" + plain)?.length == plain.utf8.count + 2)
    #expect(try parseRequest("\r\n\r\n" + plain)?.head.target.path == "/")
    #expect(refusal("\r\n\r\n\r\n") == 400)
    #expect(refusal("\n" + plain) == 400)
    #expect(try parseRequest("\r\n\r\n") == nil)
  }

  @Test("the preface of HTTP/2 is told apart, and is no request of HTTP/1")
  func preface() {
    func match(_ text: String) -> HTTP1RequestParser.PrefaceMatch {
      withBytes(text) { HTTP1RequestParser.matchHTTP2Preface($0) }
    }
    let preface = text(HTTP1RequestParser.http2Preface)
    #expect(preface.utf8.count == 24)
    for length in 0..<24 {
      #expect(match(String(decoding: preface.utf8.prefix(length), as: UTF8.self)) == .needsMore)
    }
    #expect(match(preface) == .yes)
    #expect(match(preface + "\0\0\0") == .yes)
    #expect(match("PRI /") == .no)
    #expect(match("GET / HTTP/1.1\r\n") == .no)
    #expect(match("POST") == .no)
    #expect(refusal(preface) == 505)
  }
}
