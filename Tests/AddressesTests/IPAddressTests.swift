import Addresses
import Testing

@Suite struct IPAddressTextTests {
  @Test(
    "an address prints in its canonical form (RFC 5952)",
    arguments: [
      ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
      ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"),
      ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"), ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
      ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),  // one zero group is not shortened
      ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),  // the longest run is
      ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),  // of equal runs the first
      ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
      ("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"), ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
      ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("::13.1.68.3", "::d01:4403"),
      ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:0201", "192.0.2.1"),
      ("ff02:0:0:0:0:0:0:fb", "ff02::fb"),
    ])
  func canonical(text: String, expected: String) throws {
    let address = try #require(IPAddress(text))
    #expect("\(address)" == expected)
    #expect(IPAddress(expected) == address)
    #expect(IPAddress(bytes: address.bytes) == address)
  }

  @Test(
    "what is not an address is refused",
    arguments: [
      "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4 ",
      "+1.2.3.4", "1.2.3.-4", "0x1.2.3.4", "1.2.3.4444", "١.2.3.4",
      ":", ":::", "1", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":1::2", "1::2:", "12345::", "g::",
      "::-0", "::+1", "::-1", "1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1.2.3.4::",
      "::1.2.3", "::1.2.3.4.5", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::01.2.3.4", "[::1]", "fe80::1%eth0", "::/0",
      ":\u{301}:1", "::1\u{0}", "localhost",
      "0000000000000000000000000000000000000000000000::",
    ])
  func refusals(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test("every run of zero groups comes back as the same address")
  func zeroRuns() {
    for pattern in 0..<256 {
      let groups = (0..<8).map { pattern >> $0 & 1 == 1 ? UInt16(0xab00 + $0) : 0 }
      let bytes = groups.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
      let address = IPAddress(bytes: bytes)!
      #expect(IPAddress("\(address)") == address && address.bytes.count == 16)
      #expect(IPAddress(groups.map { String($0, radix: 16) }.joined(separator: ":")) == address)
    }
  }
}

@Suite struct IPAddressTests {
  @Test("a mapped address is the IPv4 address that it maps")
  func mapped() {
    let address = IPAddress(bytes: [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 192, 0, 2, 1])
    #expect(address == IPAddress(192, 0, 2, 1))
    #expect(address?.family == .ipv4 && address?.v4 == 0xc000_0201 && address?.bytes == [192, 0, 2, 1])
    #expect(IPAddress("::1")?.family == .ipv6 && IPAddress("::1")?.v4 == nil)
  }

  @Test("only four or sixteen bytes are an address")
  func lengths() {
    for count in 0..<20 {
      #expect((IPAddress(bytes: Array(repeating: 1, count: count)) != nil) == [4, 16].contains(count))
    }
  }

  @Test(
    "scopes are told apart at the edges of their blocks",
    arguments: [
      // address, loopback, private, multicast, global
      ("127.0.0.1", true, false, false, false), ("127.255.255.255", true, false, false, false),
      ("126.255.255.255", false, false, false, true), ("128.0.0.0", false, false, false, true),
      ("0.0.0.0", false, false, false, false), ("0.1.2.3", false, false, false, false),
      ("1.0.0.0", false, false, false, true), ("9.255.255.255", false, false, false, true),
      ("10.0.0.0", false, true, false, false), ("10.255.255.255", false, true, false, false),
      ("11.0.0.0", false, false, false, true),
      ("172.15.255.255", false, false, false, true), ("172.16.0.0", false, true, false, false),
      ("172.31.255.255", false, true, false, false), ("172.32.0.0", false, false, false, true),
      ("192.168.0.0", false, true, false, false), ("192.169.0.0", false, false, false, true),
      ("169.254.1.1", false, true, false, false), ("169.253.1.1", false, false, false, true),
      ("100.63.255.255", false, false, false, true), ("100.64.0.0", false, false, false, false),
      ("100.127.255.255", false, false, false, false), ("100.128.0.0", false, false, false, true),
      ("198.17.255.255", false, false, false, true), ("198.18.0.0", false, false, false, false),
      ("198.19.255.255", false, false, false, false), ("198.20.0.0", false, false, false, true),
      ("192.0.0.1", false, false, false, false), ("192.0.2.1", false, false, false, false),
      ("192.88.99.1", false, false, false, false), ("192.0.1.1", false, false, false, true),
      ("198.51.100.1", false, false, false, false), ("203.0.113.1", false, false, false, false),
      ("223.255.255.255", false, false, false, true), ("224.0.0.1", false, false, true, false),
      ("239.255.255.255", false, false, true, false), ("240.0.0.1", false, false, false, false),
      ("255.255.255.255", false, false, false, false),
      ("::1", true, false, false, false), ("::", false, false, false, false), ("::2", false, false, false, false),
      ("fc00::1", false, true, false, false), ("fdff::1", false, true, false, false),
      ("fe80::1", false, true, false, false), ("febf::1", false, true, false, false),
      ("fec0::1", false, false, false, false), ("ff02::1", false, false, true, false),
      ("2000::1", false, false, false, true), ("3ffe::1", false, false, false, true),
      ("3fff:0fff::1", false, false, false, false), ("3fff:1000::1", false, false, false, true),
      ("1fff::1", false, false, false, false), ("4000::1", false, false, false, false),
      ("2001:db8::1", false, false, false, false), ("2001:db9::1", false, false, false, true),
      ("2001::1", false, false, false, false), ("2001:1ff::1", false, false, false, false),
      ("2001:200::1", false, false, false, true), ("2002::1", false, false, false, false),
      ("2003::1", false, false, false, true), ("::ffff:10.0.0.1", false, true, false, false),
    ])
  func scopes(row: (String, Bool, Bool, Bool, Bool)) throws {
    let address = try #require(IPAddress(row.0))
    #expect(address.isLoopback == row.1)
    #expect(address.isPrivate == row.2)
    #expect(address.isMulticast == row.3)
    #expect(address.isGlobalUnicast == row.4)
    #expect(address.isUnspecified == ["0.0.0.0", "::"].contains(row.0))
  }

  @Test("a prefix keeps the first bits and clears the rest, for every length")
  func prefixes() throws {
    let all4 = IPAddress(255, 255, 255, 255)
    let all6 = IPAddress(high: .max, low: .max)
    for length in [Int.min, -1] + Array(0...140) + [Int.max] {
      let kept = max(0, min(length, 32))
      #expect(all4.prefix(length).v4?.nonzeroBitCount == kept)
      #expect(all4.prefix(length).v4?.leadingZeroBitCount == (kept == 0 ? 32 : 0))
      let six = all6.prefix(length)
      #expect(six.high.nonzeroBitCount + six.low.nonzeroBitCount == max(0, min(length, 128)))
    }
    #expect(IPAddress("192.0.2.77")?.prefix(24) == IPAddress("192.0.2.0"))
    #expect(IPAddress("2001:db8:1:2:3::4")?.prefix(64) == IPAddress("2001:db8:1:2::"))
  }
}

@Suite struct EndpointTests {
  @Test(
    "an endpoint's text comes back",
    arguments: [
      ("192.0.2.1:6881", "192.0.2.1:6881"), ("[2001:db8::1]:6881", "[2001:db8::1]:6881"), ("0.0.0.0:0", "0.0.0.0:0"),
      ("[::]:65535", "[::]:65535"), ("[::ffff:192.0.2.1]:1", "192.0.2.1:1"), ("192.0.2.1:00080", "192.0.2.1:80"),
    ])
  func text(text: String, expected: String) throws {
    let endpoint = try #require(Endpoint(text))
    #expect("\(endpoint)" == expected)
    #expect(Endpoint(expected) == endpoint)
  }

  @Test(
    "what is not an address and a port is refused",
    arguments: [
      "", ":", ":80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 1", "1.2.3.4:1 ",
      "1.2.3.4:000001", "::1", "::1:80", "[::1]", "[::1]:", "[::1:80", "::1]:80", "[1.2.3.4]:80", "[]:80", "[[::1]]:80",
      "localhost:80", "[fe80::1%1]:80", "1.2.3.4:8\u{301}0", "[::1]80",
    ])
  func refusals(text: String) {
    #expect(Endpoint(text) == nil)
  }
}

@Suite("Endpoints of two families")
struct AlternatingFamiliesTests {
  @Test("the families come by turns, beginning with that of the first, each in its order")
  func order() {
    let v4 = (1...3).map { Endpoint(IPAddress("192.0.2.\($0)")!, port: 1) }
    let v6 = (1...2).map { Endpoint(IPAddress("2001:db8::\($0)")!, port: 1) }
    #expect((v4 + v6).alternatingFamilies() == [v4[0], v6[0], v4[1], v6[1], v4[2]])
    #expect((v6 + v4).alternatingFamilies() == [v6[0], v4[0], v6[1], v4[1], v4[2]])
    #expect(v4.alternatingFamilies() == v4 && [Endpoint]().alternatingFamilies() == [])
  }
}
