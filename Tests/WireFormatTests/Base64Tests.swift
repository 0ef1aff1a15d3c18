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

  @Test("the alphabet of addresses has - and _ for + and /, and no padding (RFC 4648 §5)")
  func addresses() {
    let bytes: [UInt8] = [0xfb, 0xff, 0xbf, 0x3e]
    #expect(Base64.encode(bytes) == "+/+/Pg==" && Base64.encodeURL(bytes) == "-_-_Pg")
    #expect(Base64.decodeURL("-_-_Pg".utf8) == bytes)
    // Of a part of a text, and of what does not lie in one piece.
    #expect(Base64.decodeURL("dns=-_-_Pg".utf8.dropFirst(4)) == bytes)
    #expect(Base64.decodeURL(["-_", "-_Pg"].joined().utf8.lazy.map(\.self)) == bytes)
    for text in ["+/+/Pg", "-_-_Pg==", "-_-_P", "-_-_Ph", "-_-_é"] { #expect(Base64.decodeURL(text.utf8) == nil) }
  }
}
