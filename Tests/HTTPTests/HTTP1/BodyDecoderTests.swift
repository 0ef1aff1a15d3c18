import Testing

@testable import HTTP

@Suite("Bodies without their framing")
struct BodyDecoderTests {
  @Test("no body and a body of no bytes end at once")
  func empty() {
    #expect(decode("next", .none) == DecodedBody(trailers: HTTPFields(), rest: 4))
    #expect(decode("next", .length(0)) == DecodedBody(trailers: HTTPFields(), rest: 4))
    #expect(HTTP1BodyDecoder(.none).hasEnded && HTTP1BodyDecoder(.length(0)).hasEnded)
    #expect(!HTTP1BodyDecoder(.length(1)).hasEnded && !HTTP1BodyDecoder(.chunked).hasEnded)
  }

  @Test("a body of a known length ends there")
  func length() {
    #expect(decode("hellonext", .length(5)) == DecodedBody(data: Array("hello".utf8), trailers: HTTPFields(), rest: 4))
    #expect(decode("hell", .length(5)) == DecodedBody(data: Array("hell".utf8)))
    #expect(decode("hellonext", .length(5), pieces: [1, 0, 2, 3]).text == "hello")
  }

  @Test("data are ranges of the input, so nothing is copied")
  func ranges() throws {
    try withBytes("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nnext") { input throws in
      var decoder = HTTP1BodyDecoder(.chunked)
      var offset = 0
      #expect(try decoder.next(input, from: &offset) == .data(3..<8))
      #expect(offset == 8)
      #expect(try decoder.next(input, from: &offset) == .data(17..<23))
      #expect(try decoder.next(input, from: &offset) == .end(trailers: HTTPFields()))
      #expect(offset == 30 && decoder.hasEnded)
      #expect(try decoder.next(input, from: &offset) == .end(trailers: HTTPFields()))
      #expect(offset == 30)
    }
  }

  @Test("a body until the close has no end but that")
  func untilClose() throws {
    #expect(decode("hello", .untilClose) == DecodedBody(data: Array("hello".utf8)))
    var decoder = HTTP1BodyDecoder(.untilClose)
    try decoder.finish()
    #expect(decoder.hasEnded)
  }

  @Test("a connection that closes within a body leaves it incomplete")
  func brokenOff() {
    for framing in [BodyFraming.length(5), .chunked] {
      var decoder = HTTP1BodyDecoder(framing)
      #expect(throws: HTTP1Error.self) { try decoder.finish() }
    }
    var complete = HTTP1BodyDecoder(.length(0))
    #expect(throws: Never.self) { try complete.finish() }
  }

  @Test(
    "chunks are joined, their extensions ignored",
    arguments: [
      ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("2\r\nhe\r\n03\r\nllo\r\n00\r\n\r\n", "hello"),
      ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"), ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
      ("1;name\r\nx\r\n0;a=b;c=\"d e\"\r\n\r\n", "x"), ("1 ; a = b\r\nx\r\n0\t;\r\n\r\n", "x"),
      ("000000000000000F\r\n0123456789abcde\r\n0\r\n\r\n", "0123456789abcde"), ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
      ("1;\u{e9}\r\nx\r\n0\r\n\r\n", "x"),
    ])
  func chunks(body: String, data: String) {
    let whole = decode(body + "next")
    #expect(whole == DecodedBody(data: Array(data.utf8), trailers: HTTPFields(), rest: 4))
    let count = body.utf8.count + 4
    for pieceLength in 1..<count {
      #expect(
        decode(body + "next", pieces: Array(repeating: pieceLength, count: count / pieceLength)).data == whole.data)
    }
  }

  @Test(
    "a chunk with a broken frame is refused",
    arguments: [
      "\r\n", "x\r\n", "-1\r\n", "+1\r\nx\r\n", "0x1\r\nx\r\n", " 1\r\nx\r\n", "1 \r\nx\r\n", "1\t\r\nx\r\n", "1 2\r\n",
      "g\r\n",
      ";a\r\n", "1\nx\r\n", "1\r\nx\n", "1\rx", "1\r\r\n", "1\r\nxx\r\n", "1\r\nx\r\r", "1\r\nx\rX", "1\r\n\r\n\r\n0",
      "1;a\nx\r\n", "1;a\u{1}\r\nx\r\n", "1;a\0\r\n", "1;a\rb\r\n", "1,2\r\n", "1.0\r\n", "\u{661}\r\n",
      "8000000000000000\r\n", "FFFFFFFFFFFFFFFF\r\n", "10000000000000000\r\n", "00000000000000001\r\n",
    ])
  func brokenChunks(body: String) {
    let whole = decode(body + "xxxx")
    #expect(whole.error?.status == .badRequest)
    #expect(decode(body + "xxxx", pieces: Array(repeating: 1, count: 30)).error == whole.error)
  }

  @Test("a chunk of the largest size is awaited")
  func largestChunk() {
    #expect(decode("7fffffffffffffff\r\nabc") == DecodedBody(data: Array("abc".utf8)))
  }

  @Test("extensions are bounded over the whole body")
  func extensionLimit() {
    let filler = String(repeating: "x", count: 4000)
    #expect(decode("1;\(filler)\r\nx\r\n0\r\n\r\n").rest == 0)
    #expect(decode("1;\(filler)\r\nx\r\n1;\(filler)\r\nx\r\n0\r\n\r\n").error?.status == .badRequest)
    #expect(decode("1;" + String(repeating: "x", count: 5000)).error?.status == .badRequest)
    #expect(decode("1" + String(repeating: " ", count: 5000)).error?.status == .badRequest)
  }

  @Test("a body may have so many bytes and not one more, however it is framed")
  func bodyLimit() {
    #expect(decode("hello", .length(5), maximumBytes: 5).text == "hello")
    #expect(decode("", .length(6), maximumBytes: 5).error?.status == .contentTooLarge)
    #expect(decode("", .length(.max), maximumBytes: 5).error?.status == .contentTooLarge)
    #expect(decode("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", maximumBytes: 5).rest == 0)
    let tooLarge = decode("2\r\nhe\r\n4\r\n", maximumBytes: 5)
    #expect(tooLarge.text == "he" && tooLarge.error?.status == .contentTooLarge)
    #expect(decode("7fffffffffffffff\r\n", maximumBytes: 5).error?.status == .contentTooLarge)
    #expect(decode("hello", .untilClose, maximumBytes: 5) == DecodedBody(data: Array("hello".utf8)))
    let endless = decode("hello!", .untilClose, maximumBytes: 5)
    #expect(endless.text == "hello" && endless.error?.status == .contentTooLarge)
    #expect(decode("x", .length(1), maximumBytes: 0).error?.status == .contentTooLarge)
    #expect(decode("0\r\n\r\n", maximumBytes: 0).rest == 0)
  }

  @Test("trailers are read, in pieces too")
  func trailers() {
    let body = "1\r\nx\r\n0\r\nETag: \"a\"\r\nX-Checksum:  b \r\n\r\n"
    let expected: HTTPFields = ["etag": "\"a\"", "x-checksum": "b"]
    #expect(decode(body + "next") == DecodedBody(data: [0x78], trailers: expected, rest: 4))
    for pieceLength in 1...body.utf8.count {
      let pieces = Array(repeating: pieceLength, count: 60 / pieceLength)
      #expect(decode(body + "next", pieces: pieces) == DecodedBody(data: [0x78], trailers: expected, rest: 4))
    }
  }

  @Test("trailers that frame, route or authenticate are dropped, as are those that say what the content is")
  func forbiddenTrailers() {
    let lines = [
      "Content-Length: 5", "Transfer-Encoding: chunked", "Host: b", "Authorization: x", "Set-Cookie: a=b",
      "Cookie: a=b",
      "Content-Type: text/html", "Content-Encoding: gzip", "Range: bytes=0-", "Expect: 100-continue",
      "Connection: close",
      "If-Match: *", "Cache-Control: no-store", "X-Forwarded-For: 192.0.2.1", "Trailer: x", "TE: trailers",
    ]
    let result = decode("0\r\nA: b\r\n" + lines.map { $0 + "\r\n" }.joined() + "C: d\r\n\r\n")
    #expect(result.trailers == ["a": "b", "c": "d"])
  }

  @Test(
    "trailers are as strict as fields",
    arguments: [
      "A : b\r\n\r\n", " A: b\r\n\r\n", "A\r\n\r\n", "A: b\n\r\n", "A: \u{1}\r\n\r\n", "\n", "\r\r\n",
      "A: b\r\n c\r\n\r\n",
    ])
  func brokenTrailers(lines: String) {
    let whole = decode("0\r\n" + lines)
    #expect(whole.error?.status == .badRequest)
    #expect(decode("0\r\n" + lines, pieces: Array(repeating: 1, count: 30)).error == whole.error)
  }

  @Test("trailers are limited in bytes and number, and a trailer section of that size is taken")
  func trailerLimits() {
    var limits = HTTPHeadLimits()
    limits.maximumBytes = 20
    limits.maximumFields = 2
    let fits = Array("0\r\nA: 0123456789abc\r\n\r\nnext".utf8)
    #expect(decode(fits, .chunked, trailerLimits: limits).rest == 4)
    #expect(decode(fits, .chunked, pieces: [4, 5, 6], trailerLimits: limits).rest == 4)
    let long = Array("0\r\nA: 0123456789abcd\r\n\r\n".utf8)
    #expect(decode(long, .chunked, trailerLimits: limits).error?.status.code == 431)
    #expect(
      decode(long, .chunked, pieces: Array(repeating: 1, count: 40), trailerLimits: limits).error?.status.code == 431)
    let many = Array("0\r\nA:\r\nB:\r\nC:\r\n\r\n".utf8)
    #expect(decode(many, .chunked, trailerLimits: limits).error?.status.code == 431)
  }
}
