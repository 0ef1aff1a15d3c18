import Addresses
import EventLoops
import Testing

@Suite("What proxies say in front (PROXY protocol, version 2)")
struct ProxyHeaderTests {
  private static let signature: [UInt8] = Array("\r\n\r\n\u{0}\r\nQUIT\n".utf8)
  private static let four: [UInt8] = [203, 0, 113, 9, 192, 0, 2, 1, 0x30, 0x39, 0, 53]
  private static let six: [UInt8] =
    [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [9] + Array(repeating: 1, count: 16) + [0x30, 0x39, 0, 53]

  private static func header(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
    signature + [command, family, UInt8(body.count >> 8), UInt8(truncatingIfNeeded: body.count)] + body
  }

  private func read(_ bytes: [UInt8]) -> ProxyHeader? { ProxyHeader(bytes.span.bytes) }

  @Test("addresses of both families and both kinds of sockets are read, and notes behind them passed over")
  func addresses() throws {
    for family in [0x11, 0x12] as [UInt8] {
      let header = try #require(read(Self.header(0x21, family, Self.four) + [1, 2, 3]))
      #expect(header.client?.description == "203.0.113.9:12345" && header.byteCount == 28)
    }
    for family in [0x21, 0x22] as [UInt8] {
      let header = try #require(read(Self.header(0x21, family, Self.six)))
      #expect(header.client?.description == "[2001:db8::9]:12345" && header.byteCount == 52)
    }
    let noted = try #require(read(Self.header(0x21, 0x11, Self.four + [4, 0, 3, 1, 2, 3])))
    #expect(noted.client != nil && noted.byteCount == 34)
  }

  @Test("a proxy that speaks for itself, or does not say for whom, names nobody")
  func local() throws {
    for (command, family) in [(0x20, 0), (0x20, 0x11), (0x21, 0), (0x21, 0x31)] as [(UInt8, UInt8)] {
      let header = try #require(read(Self.header(command, family, Self.four)))
      #expect(header.client == nil && header.byteCount == 28)
    }
    #expect(read(Self.header(0x20, 0, []))?.byteCount == 16)
  }

  @Test("what is cut, too long, of another version, or none at all is refused")
  func malformed() {
    let good = Self.header(0x21, 0x11, Self.four)
    for count in 0..<good.count { #expect(read(Array(good.prefix(count))) == nil, "\(count) bytes") }
    for index in 0..<12 {
      var bad = good
      bad[index] ^= 1
      #expect(read(bad) == nil, "signature, byte \(index)")
    }
    for (command, family, body) in [
      (0x11, 0x11, Self.four), (0x22, 0x11, Self.four), (0x21, 0x41, Self.four), (0x21, 0x21, Self.four),
      (0x21, 0x11, Array(Self.four.dropLast())), (0x21, 0x11, Array(repeating: 0, count: 1009)),
    ] as [(UInt8, UInt8, [UInt8])] {
      #expect(read(Self.header(command, family, body)) == nil, "\(command) \(family) \(body.count)")
    }
    #expect(read(Array("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".utf8)) == nil, "version 1 is text")
  }
}
