import Testing

@testable import HTTP

@Suite("Tokens, names, methods, statuses")
struct TokenTests {
  @Test("the characters of a token are those of RFC 9110 §5.6.2, letters in lower case")
  func table() {
    for byte in UInt8.min...UInt8.max {
      let character = Character(UnicodeScalar(byte))
      let isToken = byte < 128 && (character.isLetter || character.isNumber || "!#$%&'*+-.^_`|~".contains(character))
      #expect(HTTPToken.contains(byte) == isToken)
      let lowercase = isToken ? (0x41...0x5a).contains(byte) ? byte + 32 : byte : 0
      #expect(HTTPToken.lowercase(byte) == lowercase)
    }
  }

  @Test("a name is a token, kept in lower case")
  func names() {
    #expect(HTTPFieldName("Content-Type") == .contentType)
    for text in ["X-Ä", "", "a b", "a:", "a\n"] { #expect(HTTPFieldName(text) == nil) }
    #expect(HTTPFieldName(String(repeating: "x", count: 65535)) != nil)
    #expect(HTTPFieldName(String(repeating: "x", count: 65536)) == nil)
  }

  @Test("a method is a token of at most 32 bytes, and has a case")
  func methods() {
    #expect(HTTPMethod("GET") == .get)
    #expect(HTTPMethod("get") != .get)
    #expect(HTTPMethod("") == nil && HTTPMethod("A B") == nil && HTTPMethod("GET\n") == nil)
    #expect(HTTPMethod(String(repeating: "M", count: 33)) == nil)
    let known: [HTTPMethod] = [.get, .head, .post, .put, .delete, .patch, .options, .trace, .connect]
    for method in known {
      #expect(HTTPMethod(method.text) == method)
      #expect(withBytes(method.text) { HTTPMethod(token: $0) } == method)
    }
    #expect(Set(known).count == 9)
    #expect(withBytes("PUX") { HTTPMethod(token: $0) }.text == "PUX")
  }

  @Test("statuses know their kind and their words")
  func statuses() {
    #expect(HTTPStatus.notFound.description == "404 Not Found")
    #expect(HTTPStatus(599).description == "599")
    #expect([100, 199, 204, 304].allSatisfy { HTTPStatus($0).isBodiless })
    #expect(![200, 205, 206, 301, 404].contains { HTTPStatus($0).isBodiless })
    #expect(HTTPStatus(299).isSuccess && !HTTPStatus(300).isSuccess && !HTTPStatus(199).isSuccess)
  }
}

@Suite("Fields")
struct FieldTests {
  @Test("they are found by name, whatever its case, in order")
  func reading() {
    var fields: HTTPFields = ["Accept": "a", "x-y": "1"]
    fields.append("ACCEPT", "b")
    fields.append(.contentLength, 42)
    #expect(fields.count == 4 && !fields.isEmpty)
    #expect(fields[.accept] == "a")
    #expect(fields.values(.accept) == ["a", "b"])
    #expect(fields.joined("accept") == "a, b")
    #expect(fields[.contentLength] == "42")
    #expect(fields[.host] == nil && fields.joined(.host) == nil && fields.values(.host).isEmpty)
    #expect(fields.contains("X-Y") && !fields.contains("x") && !fields.contains("x-yz"))
    #expect(fields.description == "accept: a\nx-y: 1\naccept: b\ncontent-length: 42\n")
    #expect(fields.withValue("x-y") { Array($0) } == [0x31])
    #expect(fields.withValue("z") { $0.count } == nil)
  }

  @Test("no value can begin another line: control characters become spaces")
  func sanitizing() throws {
    let fields: HTTPFields = ["x": "a\r\nb: c\0\u{1}\t\u{7f}\u{e9}"]
    #expect(fields["x"] == "a  b: c  \t \u{e9}")
    #expect(fields.count == 1)
  }

  @Test("set takes the place of all of a name, remove takes all away, the others stay")
  func changing() {
    var fields: HTTPFields = ["a": "1", "b": "2", "A": "3"]
    fields.set("a", "4")
    #expect(fields == ["b": "2", "a": "4"])
    fields.remove("b")
    fields.remove("c")
    #expect(fields == ["a": "4"])
    fields.remove("a")
    #expect(fields.isEmpty && fields == [:])
  }

  @Test("fields can be joined, and a copy does not change with its original")
  func joining() {
    var fields: HTTPFields = ["a": "1"]
    fields.remove("a")
    fields.append("b", "2")
    let copy = fields
    fields.append(contentsOf: ["c": "3", "d": ""])
    fields.append(contentsOf: [:])
    #expect(copy == ["b": "2"])
    #expect(fields == ["b": "2", "c": "3", "d": ""])
    var pairs: [String] = []
    fields.forEach { pairs.append("\($0)=\($1)") }
    #expect(pairs == ["b=2", "c=3", "d="])
  }

  @Test("lines are written alike, whether the fields lie as lines in memory or otherwise, without those left out")
  func lines() {
    // As it may have come: without a space, with a tab, and at the end without more bytes.
    let bytes = Array("a:1\r\nb: 2\r\nc:\t3\r\nd: 4".utf8)
    let places: [(name: UInt32, value: UInt32)] = [(0, 2), (5, 8), (11, 14), (17, 20)]
    var fields = HTTPFields(
      bytes: bytes,
      entries: places.map { .init(nameStart: $0.name, nameLength: 1, valueStart: $0.value, valueLength: 1) })
    for name in ["e", "f", "g"] as [HTTPFieldName] { fields.append(name, "5") }
    fields.remove("f")
    var output = Array("> ".utf8)
    fields.appendLines(to: &output) { $0.elementsEqual("b".utf8) }
    #expect(String(decoding: output, as: UTF8.self) == "> a: 1\r\nc: 3\r\nd: 4\r\ne: 5\r\ng: 5\r\n")
  }

  @Test("order and values count for equality, the way they lie in memory does not")
  func equality() {
    var fields: HTTPFields = ["x": "y", "a": "1"]
    fields.remove("x")
    #expect(fields == ["A": "1"])
    #expect(fields != ["a": "2"])
    #expect(fields != ["a": "1", "b": "2"])
    #expect(HTTPFields(dictionaryLiteral: ("a", "1"), ("b", "2")) != ["b": "2", "a": "1"])
  }

  @Test("fields that must not trail a body are dropped from trailers, all others kept")
  func trailers() {
    let fields: HTTPFields = ["content-length": "1", "x": "y", "host": "h", "etag": "e"]
    #expect(fields.withoutThoseOfHeads == ["x": "y", "etag": "e"])
  }
}
