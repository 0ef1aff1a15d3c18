import DNSWire
import Testing

@Suite struct TextRecordTests {
  @Test("text is cut into strings of 254 bytes, and empty text is one empty string")
  func cutting() throws {
    let text = String(repeating: "a", count: 600)
    #expect(RecordData.TXT(text).strings.map(\.count) == [254, 254, 92])
    #expect(RecordData.TXT(text).text == text)
    #expect(RecordData.TXT("").strings == [[]])
    #expect(RecordData.txt(.init("")).wire == [0])
    #expect(RecordData.TXT(String(repeating: "ü", count: 127)).strings.map(\.count) == [254])
  }

  @Test("given strings stay as they are up to 255 bytes")
  func strings() throws {
    #expect(RecordData.TXT(strings: [Array(repeating: 7, count: 255), []])?.strings.map(\.count) == [255, 0])
    #expect(RecordData.TXT(strings: [Array(repeating: 7, count: 256)]) == nil)
    #expect(RecordData.TXT(strings: [[UInt8]]()) == RecordData.TXT(""))
  }

  @Test("attributes are split at the first equals sign, and the first of a key counts")
  func attributes() throws {
    let text = try #require(
      RecordData.TXT(strings: ["a=1", "b=", "c", "a=2", "d=e=f", ""].map { Array($0.utf8) } + [[0xff]]))
    #expect(text.attributes.map(\.key) == ["a", "b", "c", "d", ""])
    #expect(text.attributes.map(\.value) == ["1", "", nil, "e=f", nil])
    #expect(text.text == nil && text.longAttributes == nil)
    let long = RecordData.TXT("v=1;;p=" + String(repeating: "x", count: 300) + ";=y;v=2")
    #expect(long.longAttributes?.map(\.key) == ["v", "p"])
    #expect(long.longAttributes?.last?.value?.count == 300)
  }
}
