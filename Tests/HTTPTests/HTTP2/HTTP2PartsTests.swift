import Testing

@testable import HTTP

@Suite("Parts of an HTTP/2 session")
struct HTTP2PartsTests {
  @Test("frames are found however the bytes are cut")
  func scanner() {
    let frames = [
      HTTP2Wire.frame(.settings), HTTP2Wire.headers(1), HTTP2Wire.data(0x7fff_ffff, [UInt8](repeating: 0, count: 300)),
      HTTP2Wire.frame(.ping, [UInt8](repeating: 0, count: 8)),
      HTTP2Wire.frame(HTTP2FrameHeader.Kind(rawValue: 0xff), flags: 0xff, stream: 5, [1]),
    ]
    let bytes = HTTP2Wire.preface + frames.flatMap { $0 }
    var expected: [HTTP2FrameHeader]?
    for size in 1...bytes.count {
      var scanner = HTTP2FrameScanner()
      var found: [HTTP2FrameHeader] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        withBytes(Array(bytes[start..<min(bytes.count, start + size)])) { piece in
          var offset = 0
          while let header = scanner.next(piece, from: &offset) { found.append(header) }
          #expect(offset == piece.count)
        }
      }
      #expect(found == expected ?? found)
      expected = found
    }
    #expect(expected?.map(\.length) == frames.map { $0.count - 9 })
    #expect(expected?.map(\.kind.rawValue) == [4, 1, 0, 6, 0xff])
    #expect(expected?.map(\.stream) == [0, 1, 0x7fff_ffff, 0, 5] && expected?.last?.flags == 0xff)
  }

  @Test("an allowance lets a burst pass, refills with time and not beyond")
  func allowance() {
    var allowance = HTTP2Allowance(HTTP2Allowance.Rate(burst: 3, perSecond: 2))
    var now: UInt64 = 5_000_000_000
    func take(_ count: Int) -> [Bool] { (0..<count).map { _ in allowance.take(at: now) } }
    #expect(take(4) == [true, true, true, false])
    now += 499_999_999
    #expect(take(1) == [false])
    now += 1
    #expect(take(2) == [true, false])
    now += 3_600_000_000_000
    #expect(take(4) == [true, true, true, false])
    allowance.give(2)
    #expect(take(3) == [true, true, false])
    allowance.give(100)
    #expect(take(4) == [true, true, true, false])
    now = .max - 10
    #expect(take(1) == [false], "at the end of time nothing passes")
    var least = HTTP2Allowance(HTTP2Allowance.Rate(burst: -1, perSecond: 0))
    #expect(least.take(at: 0) && !least.take(at: 999_999_999) && least.take(at: 1_000_000_000))
  }

  @Test("a body is read as it was written, in any pieces, and does not grow for ever")
  func outgoing() {
    var dice = Dice(state: 5)
    var body = HTTP2OutgoingBody()
    var written: [UInt8] = []
    var read: [UInt8] = []
    for _ in 0..<500 {
      let largest = [0, 10, 3000, 20_000][Int.random(in: 0..<4, using: &dice)]
      let bytes = dice.bytes(Int.random(in: 0...largest, using: &dice))
      written += bytes
      body.append(bytes)
      #expect(body.count == written.count - read.count)
      var buffer = [UInt8](repeating: 0, count: Int.random(in: 0..<6000, using: &dice))
      let count = buffer.withUnsafeMutableBytes { body.read(into: $0) }
      #expect(count == min(buffer.count, written.count - read.count))
      read += buffer[..<count]
      // Keeps it short, but mostly not empty.
      while body.count > 50_000 {
        var rest = [UInt8](repeating: 0, count: 5000)
        read += rest[..<rest.withUnsafeMutableBytes { body.read(into: $0) }]
      }
    }
    #expect(written.starts(with: read) && written.count - read.count == body.count)
    body.removeAll()
    #expect(body.isEmpty)
    var buffer: [UInt8] = [9]
    #expect(buffer.withUnsafeMutableBytes { body.read(into: $0) } == 0)
  }

  @Test("errors are told in words and with the code of GOAWAY")
  func errors() {
    let errors: [(HTTP2Error, UInt32)] = [
      (.badPreface, 1), (.protocolViolation(code: 9), 9), (.tooManyResets, 11), (.tooManyControlFrames, 11),
      (.tooManyAcknowledgements, 11), (.unbearableHead, 11), (.failed, 2),
    ]
    #expect(Set(errors.map { "\($0.0)" }).count == errors.count)
    for (error, code) in errors { #expect(error.code == code && !"\(error)".isEmpty) }
  }
}
