import Addresses
import Foundation
import HTTP
import Testing

@testable import PkarrSite

@Suite("Files of a site")
struct StaticFilesTests {
  let fixture: SiteFixture
  let files: StaticFiles

  init() throws {
    fixture = try SiteFixture()
    try fixture.write("index.html", "<h1>Home</h1>")
    try fixture.write("docs/index.html", "docs")
    try fixture.write("docs/a b.txt", "0123456789")
    try fixture.write("empty", "")
    try fixture.write("folder/inner.css", "a{}")
    try fixture.write(".secret", "hidden")
    try fixture.write(".git/config", "hidden")
    try Data("outside".utf8).write(to: fixture.folder.appending(path: "outside.txt"))
    files = try fixture.files()
  }

  private func get(
    _ target: String, _ method: HTTPMethod = .get, _ fields: HTTPFields = HTTPFields()
  ) throws -> HTTPResponse {
    try files.response(to: HTTPRequest(method, target, fields: fields))
  }

  @Test("a file comes with its type, length, tag and date, and a folder is its page")
  func plain() throws {
    let home = try get("/")
    #expect(home.status == .ok && home.text == "<h1>Home</h1>")
    #expect(
      home.fields[.contentType] == "text/html; charset=utf-8" && home.fields["x-content-type-options"] == "nosniff")
    #expect(home.fields[.etag]?.hasPrefix("\"") == true && home.fields[.lastModified]?.hasSuffix("GMT") == true)
    #expect(home.fields[.acceptRanges] == "bytes")
    #expect(try get("/docs/").text == "docs" && get("/docs/index.html").text == "docs")
    #expect(try get("/docs/a%20b.txt?x=1").text == "0123456789")
    #expect(try get("/empty").text == "" && get("/empty").fields[.contentType] == "application/octet-stream")
    #expect(try get("/folder/inner.css").fields[.contentType] == "text/css; charset=utf-8")
    let redirect = try get("/docs?a=b")
    #expect(redirect.status.code == 301 && redirect.fields[.location] == "/docs/?a=b")
    for missing in ["/folder/", "/none", "/docs/a%20b.txt/", "/index.html/x"] {
      #expect(try get(missing).status == .notFound, "\(missing)")
    }
  }

  @Test("HEAD tells what GET would, and other methods are refused")
  func methods() throws {
    let head = try get("/docs/a%20b.txt", .head)
    #expect(head.status == .ok && head.body.length == 10)
    let same = try get("/docs/a%20b.txt")
    #expect(head.fields == same.fields)
    for method in [HTTPMethod.post, .put, .delete, .options] {
      let refusal = try get("/", method)
      #expect(refusal.status == .methodNotAllowed && refusal.fields[.allow] == "GET, HEAD")
    }
  }

  @Test("ranges and conditions are answered as RFC 9110 has them")
  func rangesAndConditions() throws {
    let whole = try get("/docs/a%20b.txt")
    let tag = try #require(whole.fields[.etag])
    let date = try #require(whole.fields[.lastModified])
    let part = try get("/docs/a%20b.txt", .get, [.range: "bytes=2-4"])
    #expect(part.status == .partialContent && part.text == "234" && part.fields["content-range"] == "bytes 2-4/10")
    #expect(try get("/docs/a%20b.txt", .get, [.range: "bytes=-3"]).text == "789")
    let none = try get("/docs/a%20b.txt", .get, [.range: "bytes=10-"])
    #expect(none.status == .rangeNotSatisfiable && none.fields["content-range"] == "bytes */10")
    #expect(try get("/docs/a%20b.txt", .get, [.range: "bytes=2-4", .ifRange: tag]).status == .partialContent)
    #expect(try get("/docs/a%20b.txt", .get, [.range: "bytes=2-4", .ifRange: "\"other\""]).status == .ok)
    let known = try get("/docs/a%20b.txt", .get, [.ifNoneMatch: tag])
    #expect(known.status == .notModified && known.fields[.etag] == tag && known.text == "")
    #expect(try get("/docs/a%20b.txt", .get, [.ifModifiedSince: date]).status == .notModified)
    #expect(try get("/docs/a%20b.txt", .get, [.ifMatch: "\"other\""]).status == .preconditionFailed)
    try fixture.write("docs/a b.txt", "changed, and of another length")
    #expect(try get("/docs/a%20b.txt", .get, [.ifNoneMatch: tag]).status == .ok)
  }

  @Test(
    "nothing outside of the folder is served, nor a name with a dot in front, however it is written",
    arguments: [
      "/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt", "/docs/../../outside.txt",
      "/docs/..%5c..%5coutside.txt",
      "/docs/%2e%2e/%2e%2e/outside.txt", "//outside.txt", "/./index.html", "/%2e/index.html", "/docs//index.html",
      "/.secret", "/%2esecret", "/.git/config", "/.git/", "/docs/.", "/docs/..", "/index.html%00.css", "/%00", "/%",
      "/%zz", "/%ff", "*", "", "/etc/passwd", "/link-out", "/link-out/outside.txt", "/absolute", "/up", "/loop",
      "/proc", "/pipe", "/docs/%2findex.html",
    ])
  func outside(target: String) throws {
    try fixture.link("link-out", to: "..")
    try fixture.link("absolute", to: "/etc/passwd")
    try fixture.link("up", to: "../outside.txt")
    try fixture.link("loop", to: "loop")
    try fixture.link("proc", to: "/proc/self/environ")
    #expect(mkfifo(fixture.site.appending(path: "pipe").path, 0o600) == 0)
    for files in [files, try fixture.files(followsLinks: false)] {
      let response = try files.response(to: HTTPRequest(.get, target))
      #expect(response.status == .notFound && response.text == "Not Found\n")
    }
  }

  @Test("a link that stays within the folder is followed")
  func insideLinks() throws {
    try fixture.link("alias", to: "docs/a b.txt")
    try fixture.link("folder/deep", to: "../docs")
    #expect(try get("/alias").text == "0123456789")
    #expect(try get("/folder/deep/").text == "docs")
    // Where the kernel cannot tell, no link is followed.
    let careful = try fixture.files(followsLinks: false)
    func status(_ target: String) throws -> HTTPStatus {
      try careful.response(to: HTTPRequest(.get, target)).status
    }
    #expect(try status("/alias") == .notFound && status("/folder/deep/") == .notFound)
    #expect(
      try status("/docs/a%20b.txt") == .ok && status("/docs/") == .ok && status("/folder/inner.css/x") == .notFound)
  }

  @Test("a name longer than any file's is not found")
  func longNames() throws {
    #expect(try get("/" + String(repeating: "a", count: 300)).status == .notFound)
    #expect(try get("/" + String(repeating: "a/", count: 3000) + "b").status == .notFound)
  }

  @Test("more files than allowed at a time are put off, and closed ones count no more")
  func openFiles() throws {
    let limited = try fixture.files(maximumOpenFiles: 2)
    try fixture.write("large", Data(count: 200_000))
    func ask() throws -> HTTPResponse { try limited.response(to: HTTPRequest(.get, "/large")) }
    var held = [try ask(), try ask()]
    #expect(held.allSatisfy { $0.status == .ok && $0.body.length == 200_000 })
    let refused = try ask()
    #expect(refused.status == .serviceUnavailable && refused.fields[.retryAfter] == "1")
    held.removeAll()
    #expect(try ask().status == .ok)
  }

  @Test("one client gets half of the files that may be open, an IPv6 network as one, and others the rest")
  func openFilesOfOneClient() throws {
    let limited = try fixture.files(maximumOpenFiles: 4)
    try fixture.write("large", Data(count: 200_000))
    func ask(_ client: String) throws -> HTTPResponse {
      var request = HTTPRequest(.get, "/large")
      request.context.clientAddress = IPAddress(client)
      return try limited.response(to: request)
    }
    var held = [try ask("192.0.2.1"), try ask("192.0.2.1")]
    #expect(held.allSatisfy { $0.status == .ok })
    #expect(try ask("192.0.2.1").status == .serviceUnavailable)
    held.append(try ask("2001:db8::1"))
    held.append(try ask("2001:db8::2"))
    #expect(held.allSatisfy { $0.status == .ok })
    held.removeFirst()
    #expect(try ask("2001:db8::3").status == .serviceUnavailable)
    #expect(try ask("192.0.2.1").status == .ok)
    held.removeAll()
    #expect(try ask("2001:db8::3").status == .ok)
  }
}
