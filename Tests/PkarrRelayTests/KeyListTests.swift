import Testing

@testable import PkarrRelay

@Suite("Lists of keys")
struct KeyListTests {
  private func read(_ text: String, limit: Int = 3) throws(KeyList.Flaw) -> [String] {
    try KeyList.read(Array(text.utf8), limit: limit)
  }

  @Test(
    "a list is a JSON array of texts, or one key a line",
    arguments: [
      ("", []), ("\n \n", []), ("a", ["a"]), ("a\nb\r\nc\n", ["a", "b", "c"]), ("  a b \n", ["a b"]), ("[]", []),
      (" [ ] \n", []), ("[\"a\"]", ["a"]), ("\n[\"a\" , \"pk:\\/\\/b\",\"\"]", ["a", "pk://b", ""]), ("[\"é\"]", ["é"]),
    ])
  func lists(text: String, keys: [String]) throws { #expect(try read(text) == keys) }

  @Test(
    "what is neither is refused",
    arguments: [
      "[", "[\"a\"", "[\"a", "[\"a\",]", "[,]", "[a]", "[\"a\"]x", "[\"a\"][]", "[1]", "[\"\\u0061\"]", "[\"a\n\"]",
      "[\"a\" \"b\"]", "[[\"a\"]]", "{\"a\":1}[",
    ])
  func malformed(text: String) {
    if text.hasPrefix("[") {
      #expect(throws: KeyList.Flaw.malformed) { try read(text) }
    } else {
      #expect(throws: Never.self) { try read(text) }
    }
  }

  @Test("bytes that are no text are refused")
  func notText() {
    for bytes in [[0xff], [0x5b, 0x22, 0xff, 0x22, 0x5d]] as [[UInt8]] {
      #expect(throws: KeyList.Flaw.malformed) { try KeyList.read(bytes, limit: 3) }
    }
  }

  @Test("a list is bounded before it is read")
  func bounded() throws {
    #expect(throws: KeyList.Flaw.tooLong(limit: 3)) { try read("a\nb\nc\nd") }
    #expect(throws: KeyList.Flaw.tooLong(limit: 3)) { try read("[\"a\",\"b\",\"c\",\"d\"]") }
    #expect(try read("a\nb\nc\n\n\n").count == 3)
  }
}
