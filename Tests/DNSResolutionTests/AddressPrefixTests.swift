import Addresses
import DNSResolution
import Testing

@Suite struct AddressPrefixTests {
  @Test("a block of addresses holds those that share its first bits, of its own family only")
  func blocks() throws {
    let block = try #require(AddressPrefix("10.1.2.3/8"))
    #expect(block.description == "10.0.0.0/8")
    #expect(block.contains(IPAddress(10, 255, 0, 1)))
    #expect(!block.contains(IPAddress(11, 0, 0, 1)))
    let everything = try #require(AddressPrefix("::/0"))
    #expect(everything.contains(.loopbackV6) && !everything.contains(.loopbackV4))
    #expect(AddressPrefix("192.0.2.7")?.length == 32 && AddressPrefix("2001:db8::1")?.length == 128)
    for text in [
      "", "/8", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "example/8", "10.0.0.0/8/8",
    ] {
      #expect(AddressPrefix(text) == nil, "\(text)")
    }
  }
}
