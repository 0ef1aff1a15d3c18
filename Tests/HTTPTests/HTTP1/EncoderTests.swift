import Testing

@testable import HTTP

@Suite("Heads and chunks as they are written")
struct EncoderTests {
  private let date = Array("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".utf8)

  private func response(
    _ status: HTTPStatus, _ fields: HTTPFields = HTTPFields(), _ framing: BodyFraming, length: UInt64? = nil,
    keepsAlive: Bool = true, version: HTTPVersion = .http11, date: [UInt8] = []
  ) -> String {
    var bytes: [UInt8] = []
    HTTP1Encoder.responseHead(
      status, fields: fields, framing: framing, contentLengthOfHead: length, keepsAlive: keepsAlive, version: version,
      date: date, into: &bytes)
    return text(bytes)
  }

  private func request(
    _ method: HTTPMethod, _ target: HTTPTarget, _ authority: String = "a.example", _ fields: HTTPFields = HTTPFields(),
    _ framing: BodyFraming = .none, keepsAlive: Bool = true
  ) -> String {
    var bytes: [UInt8] = []
    HTTP1Encoder.requestHead(
      method, target: target, authority: authority, fields: fields, framing: framing, keepsAlive: keepsAlive,
      into: &bytes)
    return text(bytes)
  }

  @Test("a response has its status, date, fields and length")
  func plainResponse() {
    #expect(
      response(.ok, ["content-type": "text/plain", "x": ""], .length(1234), date: date)
        == "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: text/plain\r\nx: \r\n"
        + "content-length: 1234\r\n\r\n")
    #expect(response(599, [:], .length(0)) == "HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n")
    #expect(response(.ok, [:], .length(.max)).contains(": 18446744073709551615\r\n"))
  }

  @Test("it is appended behind what is there")
  func appends() {
    var bytes = Array("before".utf8)
    HTTP1Encoder.responseHead(
      .noContent, fields: [:], framing: .none, keepsAlive: true, version: .http11, date: [], into: &bytes)
    #expect(text(bytes) == "beforeHTTP/1.1 204 No Content\r\n\r\n")
  }

  @Test("chunks are announced; a body until the close closes the connection")
  func framing() {
    #expect(response(.ok, [:], .chunked) == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    #expect(response(.ok, [:], .untilClose) == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    #expect(response(.ok, [:], .length(1), keepsAlive: false).hasSuffix("\r\nconnection: close\r\n\r\n"))
  }

  @Test("HTTP/1.0 is told that the connection stays")
  func oldVersion() {
    #expect(
      response(.ok, [:], .length(1), version: .http10)
        == "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n")
    #expect(response(.ok, [:], .length(1), keepsAlive: false, version: .http10).hasSuffix("connection: close\r\n\r\n"))
  }

  @Test("the length of what a HEAD or a 304 leaves out is told, that of a 204 never")
  func lengthOfHead() {
    #expect(response(.ok, [:], .none, length: 7) == "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n")
    #expect(response(.notModified, [:], .none, length: 7).contains("content-length: 7"))
    #expect(response(.notModified, [:], .none) == "HTTP/1.1 304 Not Modified\r\n\r\n")
    #expect(response(.noContent, [:], .none, length: 7) == "HTTP/1.1 204 No Content\r\n\r\n")
    #expect(response(103, ["link": "x"], .none, keepsAlive: false) == "HTTP/1.1 103 \r\nlink: x\r\n\r\n")
  }

  @Test("the framing of a response follows from method, status, version and length")
  func choice() {
    func choice(_ status: HTTPStatus, _ method: HTTPMethod, _ version: HTTPVersion, _ length: UInt64?) -> BodyFraming {
      HTTP1Encoder.framing(ofResponse: status, to: method, version: version, length: length)
    }
    #expect(choice(.ok, .get, .http11, 5) == .length(5))
    #expect(choice(.ok, .get, .http11, 0) == .length(0))
    #expect(choice(.ok, .get, .http11, nil) == .chunked)
    #expect(choice(.ok, .get, .http10, nil) == .untilClose)
    #expect(choice(.ok, .head, .http10, nil) == .none)
    #expect(choice(.noContent, .get, .http11, 0) == .none)
    #expect(choice(.notModified, .get, .http11, 9) == .none)
  }

  @Test("fields that are the encoder's to write are left out, whoever put them in")
  func reserved() {
    let fields: HTTPFields = [
      "Content-Length": "9", "Transfer-Encoding": "gzip", "Connection": "x", "Keep-Alive": "timeout=5", "Date": "now",
      "Host": "b", "x": "y",
    ]
    #expect(response(.ok, fields, .length(1)) == "HTTP/1.1 200 OK\r\nhost: b\r\nx: y\r\ncontent-length: 1\r\n\r\n")
    #expect(
      request(.get, HTTPTarget("/"), "a", fields) == "GET / HTTP/1.1\r\nhost: a\r\ndate: now\r\nx: y\r\n\r\n")
  }

  @Test("a request has its target, host, fields and length")
  func plainRequest() {
    #expect(request(.get, HTTPTarget("/a?b=c")) == "GET /a?b=c HTTP/1.1\r\nhost: a.example\r\n\r\n")
    #expect(
      request(.put, HTTPTarget("/"), "a:1", ["accept": "*/*"], .length(72), keepsAlive: false)
        == "PUT / HTTP/1.1\r\nhost: a:1\r\naccept: */*\r\ncontent-length: 72\r\nconnection: close\r\n\r\n")
    #expect(request(.post, HTTPTarget("/"), "a", [:], .length(0)).contains("content-length: 0\r\n"))
    #expect(request(.post, HTTPTarget("/"), "a", [:], .chunked).contains("transfer-encoding: chunked\r\n"))
    #expect(request(.options, HTTPTarget("*"), "[::1]:80").hasPrefix("OPTIONS * HTTP/1.1\r\nhost: [::1]:80\r\n"))
  }

  @Test("nothing that a caller puts into target, host or value becomes another line")
  func injection() throws {
    let evil = "/a b\r\nX: y\0\u{e9}#f"
    let message = request(.get, HTTPTarget(evil + "?q r\r\n#"), "a\r\nX: y", ["v": "a\r\nX: y\0\u{7f}\tb"])
    #expect(
      message
        == "GET /a%20b%0D%0AX:%20y%00%C3%A9%23f?q%20r%0D%0A%23 HTTP/1.1\r\nhost: a%0D%0AX:%20y\r\nv: a  X: y  \tb\r\n\r\n"
    )
    #expect(request(.get, HTTPTarget("")).hasPrefix("GET / HTTP/1.1\r\n"))
    #expect(request(.get, HTTPTarget("a")).hasPrefix("GET /a HTTP/1.1\r\n"))
    #expect(request(.get, HTTPTarget("*?x")).hasPrefix("GET /*?x HTTP/1.1\r\n"))
  }

  @Test("chunks have their size in front, and the last one the trailers behind")
  func chunks() {
    var bytes: [UInt8] = []
    withBytes("") { HTTP1Encoder.chunk($0, into: &bytes) }
    #expect(bytes.isEmpty)
    withBytes("hello") { HTTP1Encoder.chunk($0, into: &bytes) }
    withBytes(String(repeating: "x", count: 300)) { HTTP1Encoder.chunk($0, into: &bytes) }
    HTTP1Encoder.lastChunk(trailers: ["etag": "x", "content-length": "5"], into: &bytes)
    #expect(text(bytes) == "5\r\nhello\r\n12C\r\n" + String(repeating: "x", count: 300) + "\r\n0\r\netag: x\r\n\r\n")
    bytes = []
    HTTP1Encoder.lastChunk(into: &bytes)
    #expect(text(bytes) == "0\r\n\r\n")
    for count in [1, 9, 10, 15, 16, 255, 256, 65535, 65536, Int.max] {
      bytes = []
      HTTP1Encoder.chunkStart(count, into: &bytes)
      #expect(text(bytes) == String(count, radix: 16, uppercase: true) + "\r\n")
    }
  }

  @Test("what is written is read again: requests, responses, chunked bodies")
  func roundTrip() throws {
    let fields: HTTPFields = ["accept": "text/*", "x-empty": "", "x-bytes": "\u{e9}\t~"]
    let head = try #require(try parseRequest(request(.put, HTTPTarget("/a?b"), "h:1", fields, .chunked))).head
    #expect(head.method == .put && head.target == HTTPTarget("/a?b") && head.authority == "h:1")
    #expect(
      head.fields == [
        "host": "h:1", "accept": "text/*", "x-empty": "", "x-bytes": "\u{e9}\t~", "transfer-encoding": "chunked",
      ])
    let answer = try #require(try parseResponse(response(.notFound, fields, .length(3), date: date))).head
    #expect(answer.status == .notFound && answer.framing == .length(3) && answer.fields.count == 5)
    var body: [UInt8] = []
    for size in [1, 15, 16, 4096, 70_000] {
      withBytes([UInt8](repeating: UInt8(size & 255), count: size)) { HTTP1Encoder.chunk($0, into: &body) }
    }
    HTTP1Encoder.lastChunk(trailers: ["a": "b"], into: &body)
    let decoded = decode(body, .chunked)
    #expect(decoded.data.count == 74_128 && decoded.trailers == ["a": "b"] && decoded.rest == 0)
  }

  @Test("the interim response for Expect is a head of its own")
  func continueResponse() throws {
    let (head, length) = try #require(try parseResponse(text(HTTP1Encoder.continueResponse)))
    #expect(head.status.code == 100 && length == HTTP1Encoder.continueResponse.count)
  }
}
