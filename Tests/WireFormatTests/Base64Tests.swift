import Foundation
import Testing
import WireFormat

@Suite struct Base64Tests {
  @Test("text and bytes of RFC 4648 §10 become each other")
  func published() {
    let vectors = [
      "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE=", "foobar": "Zm9vYmFy",
    ]
    for (plain, text) in vectors {
      #expect(Base64.encode(Array(plain.utf8)) == text)
      #expect(Base64.decode(text.utf8) == Array(plain.utf8))
    }
  }

  @Test("bytes of every value and number of them become the text that Foundation makes of them, and come back")
  func foundation() {
    for count in 0...300 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ count) }
      let text = Base64.encode(bytes)
      #expect(text == Data(bytes).base64EncodedString())
      #expect(Base64.decode(text.utf8) == bytes)
    }
  }

  @Test(
    "missing or misplaced padding, other characters and left-over bits are refused",
    arguments: [
      "Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zh==", "Zm9=", "Zm=v", "Zm9v=Zm9", "Zm_v", "Zm-v", " Zm9",
      "Zm9é",
    ])
  func refused(text: String) { #expect(Base64.decode(text.utf8) == nil) }
}
