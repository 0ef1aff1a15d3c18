import Testing
import WireFormat

@Suite struct WireWriterTests {
  @Test("fields are written big-endian, one after another")
  func fields() {
    let written = [UInt8](upTo: 64) { (writer: inout WireWriter) in
      writer.write(UInt8(1))
      writer.write(UInt16(0x0203))
      writer.write(UInt32(0x0405_0607))
      writer.write(UInt64(0x0809_0a0b_0c0d_0e0f))
      writer.write([UInt8(16), 17])
      writer.write([UInt8]())
      writer.write("ab")
      writer.patch(0xfffe, at: 1)
    }
    #expect(written == [1, 0xff, 0xfe] + (4...17) + [97, 98])
  }

  @Test("what does not fit sets the overflow flag and leaves the rest as it was, for every capacity")
  func overflow() {
    for capacity in 0..<20 {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
      defer { buffer.deallocate() }
      buffer.initializeMemory(as: UInt8.self, repeating: 0xee)
      var writer = WireWriter(UnsafeMutableRawBufferPointer(rebasing: buffer[..<capacity]))
      writer.write(UInt64.max)
      writer.write(UInt32.max)
      writer.write(UInt16.max)
      writer.write(UInt8.max)
      writer.write([UInt8](repeating: 0xff, count: 5))
      writer.writeDecimal(-12345)
      let (count, overflowed) = (writer.count, writer.overflowed)
      #expect(count <= capacity && overflowed)
      #expect(buffer[count...].allSatisfy { $0 == 0xee || $0 == 0x2d })
      #expect(buffer[max(count, capacity)...].allSatisfy { $0 == 0xee })
      #expect([UInt8](upTo: capacity) { $0.write([UInt8](repeating: 0, count: capacity + 1)) } == nil)
      #expect([UInt8](upTo: capacity) { $0.write([UInt8](repeating: 0, count: capacity)) }?.count == capacity)
    }
  }

  @Test(
    "decimals are the digits of the number, and are written whole or not at all",
    arguments: [0, 1, 9, 10, 99, 100, 12345, -1, -10, .max, .min])
  func decimals(value: Int) {
    let text = "\(value)"
    #expect([UInt8](upTo: text.utf8.count) { $0.writeDecimal(value) } == Array(text.utf8))
    for capacity in 0..<text.utf8.count {
      #expect([UInt8](upTo: capacity) { $0.writeDecimal(value) } == nil)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
      defer { buffer.deallocate() }
      var writer = WireWriter(buffer)
      writer.writeDecimal(value)
      let (count, overflowed) = (writer.count, writer.overflowed)
      #expect(overflowed && count == 0)
    }
    #expect([UInt8](upTo: 20) { $0.writeDecimal(UInt64.max) } == Array("18446744073709551615".utf8))
  }

  @Test("rewinding forgets what follows, the overflow too")
  func rewind() {
    let written = [UInt8](upTo: 3) { (writer: inout WireWriter) in
      writer.write(UInt8(1))
      let mark = writer.count
      writer.write(UInt32(2))
      let overflowed = writer.overflowed
      #expect(overflowed)
      writer.rewind(to: mark)
      writer.write(UInt16(0x0304))
    }
    #expect(written == [1, 3, 4])
  }

  @Test("a writer without memory holds nothing")
  func noMemory() {
    var writer = WireWriter(UnsafeMutableRawBufferPointer(start: nil, count: 0))
    writer.write([UInt8]())
    let (overflowedAtOnce, isEmpty) = (writer.overflowed, writer.written.isEmpty)
    #expect(!overflowedAtOnce && isEmpty)
    writer.write(UInt8(1))
    let (count, overflowed) = (writer.count, writer.overflowed)
    #expect(overflowed && count == 0)
  }
}
