import HTTP
import PlainText
import Testing

@Suite("Requests for a part")
struct RangeTests {
  private func requested(_ range: String, of length: UInt64 = 10_000) -> HTTPRange {
    HTTPRange.requested(method: .get, fields: ["range": range], length: length)
  }

  @Test(
    "the examples of RFC 9110 §14.1.2, and others",
    arguments: [
      ("bytes=0-499", 0..<500), ("bytes=500-999", 500..<1000), ("bytes=-500", 9500..<10_000),
      ("bytes=9500-", 9500..<10_000),
      ("bytes=0-0", 0..<1), ("bytes=-1", 9999..<10_000), ("bytes=0-", 0..<10_000), ("bytes=0-99999", 0..<10_000),
      ("bytes=-99999", 0..<10_000), ("BYTES=9999-9999", 9999..<10_000), ("bytes= 1-2 ", 1..<3),
      ("bytes=,1-2\t,", 1..<3),
      ("bytes=0-18446744073709551615", 0..<10_000), ("bytes=5-99999999999999999999999", 5..<10_000),
      ("bytes=1-2,20000-", 1..<3),
    ] as [(String, Range<UInt64>)])
  func parts(field: String, range: Range<UInt64>) {
    #expect(requested(field) == .part(range))
    #expect(
      requested(field).contentRange(of: 10_000) == "bytes \(range.lowerBound)-\(range.upperBound - 1)/10000")
  }

  @Test(
    "what is broken, of another unit, or more than one part is answered with the whole",
    arguments: [
      "", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=a-b", "bytes=5-3", "bytes=1", "bytes=1-2-3", "bytes=+1-2",
      "bytes=1 - 2", "bytes 1-2", "items=0-1", "bytes=0-1,5-6", "bytes=0-1,x", "bytes=0-1=", "bytes=--1", "=0-1",
      "bytes=" + Array(repeating: "20000-", count: 17).joined(separator: ","), "bytes=0x1-2", "bytes=1-2\u{e9}",
    ])
  func whole(field: String) {
    #expect(requested(field) == .whole)
    #expect(requested(field).contentRange(of: 10_000) == nil)
  }

  @Test(
    "a part that does not exist cannot be had",
    arguments: ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=20000-,-0", "bytes=99999999999999999999-"])
  func notSatisfiable(field: String) {
    #expect(requested(field) == .notSatisfiable)
    #expect(requested(field).contentRange(of: 10_000) == "bytes */10000")
  }

  @Test("of nothing there is no part, and its end is the whole")
  func empty() {
    #expect(requested("bytes=0-", of: 0) == .notSatisfiable)
    #expect(requested("bytes=-5", of: 0) == .whole)
    #expect(requested("bytes=0-0", of: 1) == .part(0..<1))
    #expect(requested("bytes=0-", of: .max) == .part(0..<UInt64.max))
  }

  @Test("only GET has parts, and one Range field")
  func methods() {
    #expect(HTTPRange.requested(method: .head, fields: ["range": "bytes=0-1"], length: 10) == .whole)
    #expect(HTTPRange.requested(method: .put, fields: ["range": "bytes=0-1"], length: 10) == .whole)
    var twice: HTTPFields = ["range": "bytes=0-1"]
    twice.append(.range, "bytes=0-1")
    #expect(HTTPRange.requested(method: .get, fields: twice, length: 10) == .whole)
    #expect(HTTPRange.requested(method: .get, fields: [:], length: 10) == .whole)
  }

  @Test(
    "with If-Range the part is given only of the version that the client has",
    arguments: [
      ("\"a\"", true), ("\"b\"", false), ("W/\"a\"", false), ("Sun, 06 Nov 1994 08:49:37 GMT", true),
      ("Sun, 06 Nov 1994 08:49:38 GMT", false), ("Sun, 06 Nov 1994 08:49:36 GMT", false), ("", false), ("*", false),
    ])
  func ifRange(condition: String, isCurrent: Bool) {
    let range = HTTPRange.requested(
      method: .get, fields: ["range": "bytes=0-1", "if-range": condition], length: 10, etag: HTTPEntityTag("a"),
      lastModified: HTTPDate("Sun, 06 Nov 1994 08:49:37 GMT"))
    #expect(range == (isCurrent ? .part(0..<2) : .whole))
    let unknown = HTTPRange.requested(
      method: .get, fields: ["range": "bytes=0-1", "if-range": condition], length: 10)
    #expect(unknown == .whole)
  }
}

@Suite("Choice of a media type")
struct AcceptTests {
  private let types = ["application/json", "text/dns", "application/octet-stream"]

  @Test(
    "the client's favourite, of equal ones the server's",
    arguments: [
      (nil, "application/json"), ("", "application/json"), ("*/*", "application/json"), ("text/dns", "text/dns"),
      ("text/*", "text/dns"), ("TEXT/DNS", "text/dns"), ("text/dns, application/json", "application/json"),
      ("text/dns;q=0.5, application/json;q=0.4", "text/dns"), ("text/dns;q=0.5, */*;q=0.1", "text/dns"),
      ("application/*;q=0.9, application/json;q=0.1", "application/octet-stream"),
      ("*/*, application/json;q=0", "text/dns"),
      ("application/json;q=0.001, text/dns;q=0.002", "text/dns"), ("text/html", nil), ("text/dns;q=0", nil),
      ("*/*;q=0", nil), ("image/*, text/html;q=0.3", nil), ("text/dns ; q=1.000", "text/dns"),
      ("text/dns;Q=0.5", "text/dns"),
      ("text/html, */*;q=0.8", "application/json"), ("application/json;version=2", nil),
      ("text/dns;charset=\"a,b\", application/octet-stream", "application/octet-stream"),
      ("text/dns;q=0.5;q=0, application/json;q=0.1;x=y", "text/dns"), (",, text/dns ,", "text/dns"),
    ] as [(String?, String?)])
  func choice(accept: String?, best: String?) { #expect(HTTPAccept.best(of: types, accept: accept) == best) }

  @Test(
    "members that cannot be read do not count, and if none can, all types are equal",
    arguments: [
      "text", "/", "text/", "/dns", "*/dns", "text/dns/x", "text /dns", "text/dns;q=1.1", "text/dns;q=2",
      "text/dns;q=a",
      "text/dns;q=0.1234", "text/dns;q=", "text/dns;q=-1", "\"text/dns\"", ";q=1",
    ])
  func malformed(accept: String) {
    #expect(HTTPAccept.best(of: types, accept: accept) == "application/json")
    #expect(HTTPAccept.best(of: types, accept: accept + ", text/dns") == "text/dns")
  }

  @Test("parameters make a member more specific")
  func parameters() {
    let types = [
      "text/html;level=1", "text/html", "text/plain", "image/jpeg", "text/html;level=2", "text/html;level=3",
    ]
    // The example of RFC 9110 §12.5.1.
    let accept = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"
    #expect(HTTPAccept.best(of: types, accept: accept) == "text/plain")
    #expect(HTTPAccept.best(of: ["text/html", "image/jpeg"], accept: accept) == "image/jpeg")
    #expect(
      HTTPAccept.best(of: ["text/plain;format=fixed", "text/plain; format=flowed"], accept: accept)
        == "text/plain; format=flowed")
    #expect(HTTPAccept.best(of: ["text/html;level=3"], accept: "text/html;level=3;q=0") == nil)
    #expect(HTTPAccept.best(of: ["text/plain; charset=utf-8"], accept: "text/plain") == "text/plain; charset=utf-8")
    #expect(HTTPAccept.best(of: [], accept: "*/*") == nil)
  }

  @Test("only the first members are looked at")
  func bounded() {
    let many = Array(repeating: "a/b", count: 64).joined(separator: ",")
    #expect(HTTPAccept.best(of: types, accept: many + ",text/dns") == nil)
    #expect(HTTPAccept.best(of: types, accept: many.dropFirst(4) + ",text/dns") == "text/dns")
  }
}
