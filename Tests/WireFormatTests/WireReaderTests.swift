import Testing
import WireFormat

@Suite struct WireReaderTests {
  @Test("integers are read big-endian, one after another")
  func integers() throws {
    let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    var reader = WireReader(bytes.span.bytes)
    let (one, two, four) = (try reader.readUInt8(), try reader.readUInt16(), try reader.readUInt32())
    let (eight, remaining, offset) = (try reader.readUInt64(), reader.remaining, reader.offset)
    #expect(one == 0x01 && two == 0x0203 && four == 0x0405_0607 && eight == 0x0809_0a0b_0c0d_0e0f)
    #expect(remaining == 0 && offset == 15)
  }

  private enum Read: CaseIterable {
    case uint8, uint16, uint32, uint64, one, negative, most, least, seekPast, seekBefore
  }

  /// Where the field began that `read` found truncated, and where the cursor stands then; nil if it succeeded.
  private func failure(_ read: Read, of count: Int, from start: Int) throws -> (began: Int, cursor: Int)? {
    let bytes = [UInt8](repeating: 0xff, count: count)
    var reader = WireReader(bytes.span.bytes)
    try reader.seek(to: start)
    do throws(TruncatedInput) {
      switch read {
      case .uint8: _ = try reader.readUInt8()
      case .uint16: _ = try reader.readUInt16()
      case .uint32: _ = try reader.readUInt32()
      case .uint64: _ = try reader.readUInt64()
      case .one: _ = try reader.readBytes(1)
      case .negative: _ = try reader.readBytes(-1)
      case .most: _ = try reader.readBytes(.max)
      case .least: _ = try reader.readBytes(.min)
      case .seekPast: try reader.seek(to: count + 1)
      case .seekBefore: try reader.seek(to: -1)
      }
      return nil
    } catch {
      return (error.offset, reader.offset)
    }
  }

  @Test("a read beyond the end throws where the field began and moves nothing")
  func truncation() throws {
    for count in 0..<12 {
      for start in 0...count {
        for read in Read.allCases {
          let failure = try failure(read, of: count, from: start)
          let size = [Read.uint8: 1, .uint16: 2, .uint32: 4, .uint64: 8, .one: 1][read] ?? .max
          #expect((failure == nil) == (size <= count - start))
          guard let failure else { continue }
          #expect(failure.cursor == start)
          #expect(failure.began == (read == .seekPast ? count + 1 : read == .seekBefore ? -1 : start))
        }
      }
    }
  }

  @Test("bytes are lent, and a cursor can go anywhere inside")
  func bytesAndSeek() throws {
    let bytes: [UInt8] = [1, 2, 3, 4, 5]
    var reader = WireReader(bytes.span.bytes)
    try reader.seek(to: 2)
    let (two, none) = ([UInt8](try reader.readBytes(2)), [UInt8](try reader.readBytes(0)))
    #expect(two == [3, 4] && none == [])
    try reader.seek(to: 5)
    let remaining = reader.remaining
    #expect(remaining == 0)
    try reader.seek(to: 0)
    let all = [UInt8](try reader.readBytes(5))
    #expect(all == bytes)
  }
}
