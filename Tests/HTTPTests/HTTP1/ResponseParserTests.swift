import Testing

@testable import HTTP

@Suite("Responses as a client reads them")
struct ResponseParserTests {
  private func response(_ statusLine: String, _ lines: String...) -> String {
    statusLine + "\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private func refused(_ message: String, to method: HTTPMethod = .get, limits: HTTPHeadLimits = HTTPHeadLimits())
    -> Int?
  {
    do throws(HTTP1Error) {
      _ = try parseResponse(message, to: method, limits: limits)
      return nil
    } catch {
      return error.status.code
    }
  }

  @Test("a response is taken apart: status, version, fields")
  func plain() throws {
    let message = response("HTTP/1.1 200 All is well", "Content-Type: text/plain", "Content-Length: 5", "X:")
    let (head, length) = try #require(try parseResponse(message + "hello"))
    #expect(length == message.utf8.count)
    #expect(head.status == .ok && head.version == .http11)
    #expect(head.fields == ["content-type": "text/plain", "content-length": "5", "x": ""])
    #expect(head.framing == .length(5) && head.keepsAlive)
  }

  @Test("the reason may be empty, missing with its space, or anything in bytes above ASCII")
  func reasons() throws {
    for line in ["HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.1 200 \u{e9}\t!", "HTTP/1.0 200 a  b "] {
      #expect(try parseResponse(response(line))?.head.status == .ok)
    }
    #expect(try parseResponse(response("HTTP/1.1 999 x"))?.head.status.code == 999)
  }

  @Test(
    "a status line of another form is refused",
    arguments: [
      "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 200x", "HTTP/1.1  200", "HTTP/1.1 099 x", "HTTP/1.1 000",
      "HTTP/1.1 -20 x",
      "HTTP/1.1 2x0 x", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1\t200 OK", "HTTP/11 200 OK", "http/1.1 200 OK", "200 OK", "",
      "HTTP/1.1 200 \u{1}", "HTTP/1.1 200 a\rb", "HTTP/1.1 200 OK\n", "ICY 200 OK",
    ])
  func badStatusLines(line: String) { #expect(refused(response(line)) == 400) }

  @Test("other versions than 1 are refused")
  func versions() {
    #expect(refused(response("HTTP/2.0 200 OK")) == 505)
    #expect(refused(response("HTTP/0.9 200 OK")) == 505)
  }

  @Test(
    "the end is found by the rules of RFC 9112 §6.3",
    arguments: [
      ("GET", "200", [], .untilClose), ("GET", "200", ["Content-Length: 7"], .length(7)),
      ("GET", "200", ["Content-Length: 0"], .length(0)), ("GET", "200", ["Transfer-Encoding: chunked"], .chunked),
      ("GET", "404", ["Content-Length: 7"], .length(7)), ("POST", "201", [], .untilClose),
      ("HEAD", "200", [], .none), ("HEAD", "200", ["Content-Length: 7"], .none),
      ("HEAD", "404", ["Transfer-Encoding: chunked"], .none), ("GET", "204", [], .none),
      ("GET", "204", ["Content-Length: 7"], .none), ("GET", "304", ["Content-Length: 7"], .none),
      ("GET", "304", [], .none),
      ("GET", "100", [], .none), ("GET", "103", ["Link: x"], .none), ("GET", "205", ["Content-Length: 0"], .length(0)),
    ] as [(String, String, [String], BodyFraming)])
  func framing(method: String, status: String, lines: [String], framing: BodyFraming) throws {
    let message = "HTTP/1.1 \(status) x\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    #expect(try parseResponse(message, to: try #require(HTTPMethod(method)))?.head.framing == framing)
  }

  @Test(
    "the connection can be used again if both its ends mean so and the end of the body is certain",
    arguments: [
      ("HTTP/1.1 200", ["Content-Length: 1"], true),
      ("HTTP/1.1 200", ["Content-Length: 1", "Connection: close"], false),
      ("HTTP/1.1 200", [], false), ("HTTP/1.1 200", ["Connection: keep-alive"], false),
      ("HTTP/1.0 200", ["Content-Length: 1"], false),
      ("HTTP/1.0 200", ["Content-Length: 1", "Connection: Keep-Alive"], true),
      ("HTTP/1.1 204", [], true), ("HTTP/1.1 204", ["Content-Length: 0"], true),
      ("HTTP/1.1 204", ["Content-Length: 5"], false), ("HTTP/1.1 204", ["Transfer-Encoding: chunked"], false),
      ("HTTP/1.1 304", ["Content-Length: 5"], true), ("HTTP/1.1 100", [], true),
    ] as [(String, [String], Bool)])
  func keepAlive(statusLine: String, lines: [String], keepsAlive: Bool) throws {
    let message = statusLine + "\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    #expect(try parseResponse(message)?.head.keepsAlive == keepsAlive)
  }

  @Test("a response whose end is in doubt is refused, even where it has no body")
  func doubts() {
    for method in [HTTPMethod.get, .head] {
      #expect(
        refused(response("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"), to: method) == 400)
      #expect(refused(response("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"), to: method) == 400)
      #expect(refused(response("HTTP/1.1 200 OK", "Content-Length: 5, 5"), to: method) == 400)
      #expect(refused(response("HTTP/1.1 200 OK", "Content-Length: -1"), to: method) == 400)
      #expect(refused(response("HTTP/1.1 200 OK", "Transfer-Encoding: gzip"), to: method) == 400)
      #expect(refused(response("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"), to: method) == 501)
      #expect(refused(response("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), to: method) == 400)
    }
  }

  @Test("lines are as strict as those of a request")
  func lines() {
    #expect(refused("HTTP/1.1 200 OK\nX: y\r\n\r\n") == 400)
    #expect(refused(response("HTTP/1.1 200 OK", "X : y")) == 400)
    #expect(refused(response("HTTP/1.1 200 OK", "X: y", " z")) == 400)
    #expect(refused(response("HTTP/1.1 200 OK", "X: \0")) == 400)
    #expect(refused("\r\n" + response("HTTP/1.1 200 OK")) == 400)
  }

  @Test("a change of the protocol that nobody asked for is refused")
  func switching() { #expect(refused(response("HTTP/1.1 101 Switching Protocols", "Upgrade: x")) == 400) }

  @Test("interim responses come one by one, and the response behind them")
  func interim() throws {
    let first = response("HTTP/1.1 100 Continue")
    let second = response("HTTP/1.1 200 OK", "Content-Length: 0")
    var parser = HTTP1ResponseParser(limits: HTTPHeadLimits())
    try withBytes(first + second) { bytes throws in
      let one = try #require(try parser.parse(bytes, requestMethod: .put))
      #expect(one.head.status.code == 100 && one.length == first.utf8.count)
      let two = try #require(
        try parser.parse(UnsafeRawBufferPointer(rebasing: bytes[one.length...]), requestMethod: .put))
      #expect(two.head.status == .ok && two.length == second.utf8.count)
    }
  }

  @Test("a head is limited in bytes and fields")
  func limits() {
    var limits = HTTPHeadLimits()
    limits.maximumBytes = 40
    #expect(refused(response("HTTP/1.1 200 OK", "X: " + String(repeating: "y", count: 40)), limits: limits) == 431)
    #expect(refused("HTTP/1.1 200 " + String(repeating: "y", count: 40), limits: limits) == 431)
    limits = HTTPHeadLimits()
    limits.maximumFields = 1
    #expect(refused(response("HTTP/1.1 200 OK", "X: y"), limits: limits) == nil)
    #expect(refused(response("HTTP/1.1 200 OK", "X: y", "Z: a"), limits: limits) == 431)
  }

  @Test("what comes out does not depend on how the bytes arrive")
  func pieces() throws {
    let message = Array(response("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 5").utf8)
    for pieceLength in 1...message.count {
      var parser = HTTP1ResponseParser(limits: HTTPHeadLimits())
      var heads = 0
      for end in Array(stride(from: pieceLength, to: message.count, by: pieceLength)) + [message.count] {
        let result = try withBytes(Array(message[..<end])) { bytes throws(HTTP1Error) in
          try parser.parse(bytes, requestMethod: .get)
        }
        guard let (head, length) = result else { continue }
        heads += 1
        #expect(length == message.count && head.framing == .length(5) && head.fields.count == 2)
      }
      #expect(heads == 1)
    }
  }
}
