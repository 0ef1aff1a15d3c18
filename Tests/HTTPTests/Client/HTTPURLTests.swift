import Testing

@testable import HTTP

@Suite("Addresses of the web")
struct HTTPURLTests {
  @Test(
    "an address is taken apart and put together again",
    arguments: [
      ("http://example.org", "http://example.org/"),
      ("HTTPS://Example.ORG:443/a%20b?x=/?#top", "https://example.org/a%20b?x=/?"),
      ("http://[2001:db8::1]:8080?q", "http://[2001:db8::1]:8080/?q"), ("http://127.0.0.1:1/", "http://127.0.0.1:1/"),
      (
        "https://o4dksfbqk85ogzdb5osziw6befigbuxmuxkuxq8434q89uj56uyy/",
        "https://o4dksfbqk85ogzdb5osziw6befigbuxmuxkuxq8434q89uj56uyy/"
      ),
    ])
  func parsing(text: String, printed: String) throws {
    let url = try #require(HTTPURL(text))
    #expect(url.description == printed)
    #expect(HTTPURL(url.description) == url)
  }

  @Test(
    "what could not be asked, or could hide who is asked, is none",
    arguments: [
      "", "example.org", "ftp://x/", "http://", "http:///path", "http://a b/", "http://user@host/", "http://host:0/",
      "http://host:99999/",
      "http://host:+1/", "http://[::1", "http://[127.0.0.1]/", "http://h\r\nx/", "http://host/\u{7f}", "http://a/ b",
    ])
  func refused(text: String) { #expect(HTTPURL(text) == nil) }

  @Test(
    "a reference is resolved as RFC 3986 does (§5.4)",
    arguments: [
      ("g", "/b/c/g"), ("./g", "/b/c/g"), ("g/", "/b/c/g/"), ("/g", "/g"), ("?y", "/b/c/d?y"), ("g?y", "/b/c/g?y"),
      ("", "/b/c/d?q"),
      (".", "/b/c/"), ("..", "/b/"), ("../g", "/b/g"), ("../..", "/"), ("../../../g", "/g"), ("/./g", "/g"),
      ("/../g", "/g"),
      ("g#s", "/b/c/g"), ("g;x=1/../y", "/b/c/y"), ("g?y/../x", "/b/c/g?y/../x"),
    ])
  func resolving(reference: String, target: String) throws {
    let base = try #require(HTTPURL("http://a/b/c/d?q"))
    #expect(base.resolving(reference)?.description == "http://a\(target)")
  }

  @Test("references to other hosts keep to the two schemes")
  func otherHosts() throws {
    let base = try #require(HTTPURL("https://a/b"))
    #expect(base.resolving("//other/x")?.description == "https://other/x")
    #expect(base.resolving("http://other/x")?.description == "http://other/x")
    #expect(base.resolving("ftp://other/x") == nil)
  }

  @Test("segments and parameters are appended, encoded, without a double slash")
  func appending() throws {
    let base = try #require(HTTPURL("http://a:81/base/?k=v"))
    #expect(base.appending(segment: "x y/z").description == "http://a:81/base/x%20y%2Fz?k=v")
    #expect(
      base.appending(parameter: "policy", "Cache&Only").description == "http://a:81/base/?k=v&policy=Cache%26Only")
    #expect(HTTPURL("http://a")?.appending(segment: "k").description == "http://a/k")
  }
}
