import Testing

@testable import HTTP

@Suite("Targets and percent-encoding")
struct TargetTests {
  @Test(
    "a target is split at its first question mark",
    arguments: [
      ("/", "/", nil), ("/a?", "/a", ""), ("/a?b?c", "/a", "b?c"), ("*", "*", nil), ("", "", nil), ("?x", "", "x"),
    ] as [(String, String, String?)])
  func split(text: String, path: String, query: String?) {
    let target = HTTPTarget(text)
    #expect(target.path == path && target.query == query && target.description == text)
  }

  @Test("segments are decoded one by one, so an escaped slash separates nothing")
  func segments() {
    #expect(HTTPTarget("/").segments == [""])
    #expect(HTTPTarget("/a/b").segments == ["a", "b"])
    #expect(HTTPTarget("/a/").segments == ["a", ""])
    #expect(HTTPTarget("//a").segments == ["", "a"])
    #expect(HTTPTarget("/a%2Fb/c%20d?x/y").segments == ["a/b", "c d"])
    #expect(HTTPTarget("/%E2%82%AC/..").segments == ["€", ".."])
    #expect(HTTPTarget("/a+b").segments == ["a+b"])
    #expect(HTTPTarget("/\u{301}/a").segments == ["\u{301}", "a"])
  }

  @Test(
    "a path that cannot be decoded, or is none, has no segments",
    arguments: ["/%", "/%4", "/%zz", "/%ff", "/a/%C3", "*", "", "a"])
  func noSegments(text: String) { #expect(HTTPTarget(text).segments == nil) }

  @Test("parameters are decoded in order, a plus is a space")
  func parameters() throws {
    func pairs(_ text: String) -> [[String]]? { HTTPTarget(text).parameters?.map { [$0.name, $0.value] } }
    #expect(pairs("/") == [])
    #expect(pairs("/?") == [])
    #expect(pairs("/?a=1&b=2&a=3") == [["a", "1"], ["b", "2"], ["a", "3"]])
    #expect(pairs("/?a+b=c%26d&&e&=f&g=h=i") == [["a b", "c&d"], ["e", ""], ["", "f"], ["g", "h=i"]])
    #expect(pairs("/?a=%zz") == nil)
    #expect(pairs("/?%ff=a") == nil)
    #expect(pairs("/?a=1&\u{301}=\u{301}b") == [["a", "1"], ["\u{301}", "\u{301}b"]])
  }

  @Test("every byte that is not unreserved is escaped, and comes back")
  func encoding() {
    #expect(PercentEncoding.encode("AZaz09-._~") == "AZaz09-._~")
    #expect(PercentEncoding.encode(" /?#%&+=\"\0é€") == "%20%2F%3F%23%25%26%2B%3D%22%00%C3%A9%E2%82%AC")
    let text = String(String.UnicodeScalarView((0..<0x800).compactMap { UnicodeScalar(UInt32($0)) }))
    #expect(PercentEncoding.decode(PercentEncoding.encode(text)) == text)
  }

  @Test("broken escapes and bytes that are no UTF-8 are refused")
  func decoding() {
    #expect(PercentEncoding.decode("a%41%5a%5A") == "aAZZ")
    #expect(PercentEncoding.decode("+") == "+")
    #expect(PercentEncoding.decode("+", plusIsSpace: true) == " ")
    for text in ["%", "%4", "a%", "%4g", "%g4", "%%41", "%ff", "%C3", "%C0%80", "%ED%A0%80", "%+1", "% 1"] {
      #expect(PercentEncoding.decode(text) == nil)
    }
  }
}
