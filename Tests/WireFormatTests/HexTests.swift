import Testing
import WireFormat

@Suite struct HexTests {
  @Test("every byte is two lower-case digits and comes back in either case")
  func everyByte() {
    let bytes = [UInt8](0...255)
    let text = Hex.encode(bytes)
    #expect(text.hasPrefix("000102") && text.hasSuffix("fdfeff") && text.count == 512)
    #expect(Hex.decode(text) == bytes)
    #expect(Hex.decode(text.uppercased()) == bytes)
    #expect(Hex.encode([UInt8]()) == "" && Hex.decode("") == [])
  }

  @Test(
    "what is not an even number of digits is refused",
    arguments: ["0", "abc", "0g", "g0", "+f", "-1", " 00", "00 ", "0x00", "é0", "\u{0}\u{0}", "００"])
  func refusals(text: String) {
    #expect(Hex.decode(text) == nil)
  }
}
