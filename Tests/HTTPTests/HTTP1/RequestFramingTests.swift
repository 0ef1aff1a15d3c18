import Testing

@testable import HTTP

@Suite("Where a request ends")
struct RequestFramingTests {
  private func framing(_ lines: String..., version: String = "HTTP/1.1") throws -> BodyFraming? {
    try parseRequest("POST / \(version)\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n")?.head.framing
  }

  private func refused(_ lines: String..., version: String = "HTTP/1.1") -> Int? {
    refusal("POST / \(version)\r\nHost: a\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n")
  }

  @Test("without an announcement there is no body")
  func none() throws { #expect(try framing() == BodyFraming.none) }

  @Test("Content-Length is a number of digits")
  func contentLength() throws {
    #expect(try framing("Content-Length: 0") == .length(0))
    #expect(try framing("content-length:\t42 ") == .length(42))
    #expect(try framing("Content-Length: 0007") == .length(7))
    #expect(try framing("Content-Length: 9223372036854775807") == .length(9_223_372_036_854_775_807))
    #expect(try framing("Content-Length: 5", version: "HTTP/1.0") == .length(5))
  }

  @Test(
    "a Content-Length that is anything else is refused",
    arguments: [
      "", "+5", "-5", "5,", "5,5", "5, 5", "5 5", "0x5", "5.0", "5e1", "a", "9223372036854775808",
      "18446744073709551616",
      "99999999999999999999", "00000000000000000005", "\u{665}",
    ])
  func badContentLength(value: String) { #expect(refused("Content-Length: \(value)") == 400) }

  @Test("Content-Length comes once only, even if it says the same again")
  func repeated() {
    #expect(refused("Content-Length: 5", "Content-Length: 6") == 400)
    #expect(refused("Content-Length: 5", "content-length: 5") == 400)
    #expect(refused("Content-Length: 5", "X: y", "Content-Length: ") == 400)
  }

  @Test("Transfer-Encoding is chunked, in any case, and nothing else")
  func chunked() throws {
    #expect(try framing("Transfer-Encoding: chunked") == .chunked)
    #expect(try framing("TRANSFER-ENCODING:  CHUNKED\t") == .chunked)
  }

  @Test(
    "another coding is 501 if the end could be found, else the request is malformed",
    arguments: [
      ("gzip, chunked", 501), ("gzip,deflate , chunked", 501), ("identity, chunked", 501), ("xchunked, chunked", 501),
      ("", 400), (",", 400), ("chunked, chunked", 400), ("chunked, gzip", 400), ("chunked, identity", 400),
      ("gzip", 400),
      ("identity", 400), ("xchunked", 400), ("chunkedx", 400), ("chunked;q=1", 400), ("\"chunked\"", 400),
      ("chunked chunked", 400), ("chunked, gzip, chunked", 400), ("c hunked", 400),
    ])
  func otherCodings(value: String, status: Int) { #expect(refused("Transfer-Encoding: \(value)") == status) }

  @Test("Transfer-Encoding comes once, not in HTTP/1.0 and never beside Content-Length")
  func smuggling() {
    #expect(refused("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") == 400)
    #expect(refused("Transfer-Encoding: chunked", "Transfer-Encoding: identity") == 400)
    #expect(refused("Transfer-Encoding: chunked", version: "HTTP/1.0") == 400)
    #expect(refused("Transfer-Encoding: chunked", "Content-Length: 5") == 400)
    #expect(refused("Content-Length: 5", "Transfer-Encoding: chunked") == 400)
    #expect(refused("Content-Length: 0", "Transfer-Encoding: chunked") == 400)
    #expect(refused("Transfer-Encoding : chunked") == 400)
    #expect(refused("Transfer-Encoding:\u{b}chunked") == 400)
    #expect(refused("X: y\nTransfer-Encoding: chunked") == 400)
    #expect(refused("X: y\rTransfer-Encoding: chunked") == 400)
  }

  @Test(
    "the connection stays open in HTTP/1.1 unless one of them closes it, in HTTP/1.0 only on request",
    arguments: [
      ("HTTP/1.1", [], true), ("HTTP/1.1", ["close"], false), ("HTTP/1.1", ["CLOSE"], false),
      ("HTTP/1.1", ["keep-alive"], true), ("HTTP/1.1", ["keep-alive, Close"], false),
      ("HTTP/1.1", ["x", "y ,\tclose,z"], false), ("HTTP/1.1", ["closed"], true),
      ("HTTP/1.1", ["close", "keep-alive"], false),
      ("HTTP/1.1", ["TE, close"], false), ("HTTP/1.1", [",,"], true), ("HTTP/1.1", [""], true),
      ("HTTP/1.0", [], false), ("HTTP/1.0", ["Keep-Alive"], true), ("HTTP/1.0", ["x, keep-alive"], true),
      ("HTTP/1.0", ["keep-alive", "close"], false), ("HTTP/1.0", ["x"], false),
    ] as [(String, [String], Bool)])
  func keepAlive(version: String, values: [String], keepsAlive: Bool) throws {
    let lines = values.map { "Connection: \($0)\r\n" }.joined()
    let head = try #require(try parseRequest("GET / \(version)\r\nHost: a\r\n\(lines)\r\n")).head
    #expect(head.keepsAlive == keepsAlive)
  }

  @Test("100-continue is the only expectation, for bodies and in HTTP/1.1")
  func expectations() throws {
    func expects(_ lines: String, version: String = "HTTP/1.1") throws -> Bool? {
      try parseRequest("PUT / \(version)\r\nHost: a\r\n\(lines)\r\n")?.head.expectsContinue
    }
    #expect(try expects("Expect: 100-continue\r\nContent-Length: 5\r\n") == true)
    #expect(try expects("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n") == true)
    #expect(try expects("Expect: 100-continue, 100-continue\r\nContent-Length: 5\r\n") == true)
    #expect(try expects("Expect: 100-continue\r\n") == false)
    #expect(try expects("Expect: 100-continue\r\nContent-Length: 0\r\n") == false)
    #expect(try expects("Expect:\r\nContent-Length: 5\r\n") == false)
    #expect(try expects("Expect: 100-continue\r\nContent-Length: 5\r\n", version: "HTTP/1.0") == false)
    #expect(try expects("Expect: 200-ok\r\nContent-Length: 5\r\n", version: "HTTP/1.0") == false)
    #expect(refused("Expect: 200-ok") == 417)
    #expect(refused("Expect: 100-continue, x") == 417)
    #expect(refused("Expect: x", "Expect: 100-continue") == 417)
  }

  @Test("an offer of another protocol is ignored")
  func upgrade() throws {
    let head = try #require(
      try parseRequest(request("GET / HTTP/1.1", "Connection: upgrade, HTTP2-Settings", "Upgrade: h2c"))
    ).head
    #expect(head.keepsAlive && head.framing == .none)
    #expect(head.fields[.upgrade] == "h2c")
  }
}

@Suite("Limits of a head, and heads that arrive in pieces")
struct RequestStreamTests {
  @Test("a head may have so many bytes and not one more")
  func headBytes() throws {
    var limits = HTTPHeadLimits()
    let message = request("GET / HTTP/1.1", "X: " + String(repeating: "x", count: 200))
    limits.maximumBytes = message.utf8.count
    #expect(try parseRequest(message, limits: limits)?.length == message.utf8.count)
    #expect(try parseRequest(message + "next", limits: limits)?.length == message.utf8.count)
    limits.maximumBytes -= 1
    #expect(refusal(message, limits: limits) == 431)
    #expect(refusal(String(decoding: message.utf8.dropLast(), as: UTF8.self), limits: limits) == 431)
    #expect(refusal(request("GET / HTTP/1.1", "X: " + String(repeating: "x", count: 20_000))) == 431)
  }

  @Test("a head may have so many fields and not one more")
  func fieldCount() throws {
    var limits = HTTPHeadLimits()
    limits.maximumFields = 3
    #expect(try parseRequest(request("GET / HTTP/1.1", "A: b", "C: d"), limits: limits)?.head.fields.count == 3)
    #expect(refusal(request("GET / HTTP/1.1", "A: b", "C: d", "E: f"), limits: limits) == 431)
    let many = Array(repeating: "A: b", count: 101).joined(separator: "\r\n")
    #expect(refusal(request("GET / HTTP/1.1", many)) == 431)
  }

  @Test("a target may have so many bytes and not one more, complete or not")
  func targetBytes() throws {
    var limits = HTTPHeadLimits()
    limits.maximumTargetBytes = 100
    let target = "/" + String(repeating: "x", count: 99)
    #expect(try parseRequest(request("GET \(target) HTTP/1.1"), limits: limits)?.head.target.path == target)
    #expect(refusal(request("GET \(target)x HTTP/1.1"), limits: limits) == 414)
    #expect(refusal("GET \(target)" + String(repeating: "x", count: 60), limits: limits) == 414)
    #expect(try parseRequest("GET \(target)", limits: limits) == nil)
    #expect(refusal("GET /" + String(repeating: "x", count: 9000)) == 414)
  }

  @Test("a field name longer than 65535 bytes is refused, where heads may be so large")
  func longName() {
    var limits = HTTPHeadLimits()
    limits.maximumBytes = 1 << 20
    #expect(refusal(request("GET / HTTP/1.1", String(repeating: "x", count: 65535) + ": y"), limits: limits) == nil)
    #expect(refusal(request("GET / HTTP/1.1", String(repeating: "x", count: 65536) + ": y"), limits: limits) == 431)
  }

  @Test("what comes out does not depend on how the bytes arrive, for good requests and bad ones")
  func pieces() throws {
    let messages = [
      request("GET /where?q=now HTTP/1.1", "Accept: */*", "X: y"),
      "\r\n" + request("POST / HTTP/1.1", "Content-Length: 3"),
      request("GET / HTTP/1.1", "X: a\u{1}"), request("GET / HTTP/1.1", " X: a"), request("GET / HTTP/9.9"),
      "GET / HTTP/1.1\r\nX: y\r\n\r\n", "\r\n\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
      request("POST / HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"),
    ]
    for message in messages {
      let bytes = Array(message.utf8)
      let whole = Verdict(bytes, pieceLength: bytes.count)
      #expect(whole != .incomplete)
      for pieceLength in 1..<bytes.count { #expect(Verdict(bytes, pieceLength: pieceLength) == whole) }
    }
  }

  private enum Verdict: Equatable {
    case head(String, Int)
    case refused(HTTP1Error)
    case incomplete

    init(_ bytes: [UInt8], pieceLength: Int) {
      var parser = HTTP1RequestParser(limits: HTTPHeadLimits())
      self = .incomplete
      for end in Array(stride(from: pieceLength, to: bytes.count, by: pieceLength)) + [bytes.count] {
        do throws(HTTP1Error) {
          let result = try withBytes(Array(bytes[..<end])) { bytes throws(HTTP1Error) in try parser.parse(bytes) }
          guard let (head, length) = result else { continue }
          self = .head("\(head.method) \(head.target) \(head.fields) \(head.framing)", length)
        } catch {
          self = .refused(error)
        }
        return
      }
    }
  }

  @Test("requests that follow each other are read by the same parser")
  func pipelining() throws {
    let first = request("POST /1 HTTP/1.1", "Content-Length: 0", "Connection: close", "Expect: 100-continue")
    let second = "\r\n" + request("GET /2 HTTP/1.1")
    var parser = HTTP1RequestParser(limits: HTTPHeadLimits())
    try withBytes(first + second) { bytes throws in
      let one = try #require(try parser.parse(bytes))
      #expect(one.head.target.path == "/1" && one.length == first.utf8.count)
      let rest = UnsafeRawBufferPointer(rebasing: bytes[one.length...])
      let two = try #require(try parser.parse(rest))
      #expect(two.head.target.path == "/2" && two.length == second.utf8.count)
      #expect(two.head.keepsAlive && two.head.framing == .none && two.head.fields.count == 1)
    }
  }

  @Test("a head of 16 KiB that arrives byte by byte is looked at once, not once for each byte")
  func linear() throws {
    let bytes = Array(request("GET / HTTP/1.1", "X: " + String(repeating: "x", count: 16_000)).utf8)
    var reader = HTTP1LineReader()
    var lines = 0
    for end in 1...bytes.count {
      // What was searched already is replaced by control characters, which a second look would find.
      let visible = [UInt8](repeating: 0, count: max(0, end - 2)) + bytes[max(0, end - 2)..<end]
      if try withBytes(visible, { bytes throws(HTTP1Error) in try reader.next(bytes) }) != nil { lines += 1 }
    }
    #expect(lines == 4)
  }
}
