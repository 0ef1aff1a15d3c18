import DNSWire
import Testing
import WireFormat

@Suite struct ServiceBindingTests {
  static let fooExampleCom = "03666f6f076578616d706c6503636f6d00"
  static let fooExampleOrg = "03666f6f076578616d706c65036f726700"

  @Test(
    "text and bytes are those of RFC 9460 appendix D",
    arguments: [
      ("HTTPS 0 foo.example.com.", "0000" + fooExampleCom),
      ("SVCB 1 .", "000100"),
      ("SVCB 16 foo.example.com. port=53", "0010" + fooExampleCom + "000300020035"),
      ("SVCB 1 foo.example.com. key667=hello", "0001" + fooExampleCom + "029b000568656c6c6f"),
      (#"SVCB 1 foo.example.com. key667="hello\210qoo""#, "0001" + fooExampleCom + "029b000968656c6c6fd2716f6f"),
      (
        #"SVCB 1 foo.example.com. ( ipv6hint="2001:db8::1,2001:db8::53:1" )"#,
        "0001" + fooExampleCom + "0006002020010db800000000000000000000000120010db8000000000000000000530001"
      ),
      (
        #"SVCB 1 example.com. ( ipv6hint="2001:db8:122:344::192.0.2.33" )"#,
        "0001076578616d706c6503636f6d000006001020010db80122034400000000c0000221"
      ),
      (
        "SVCB 16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn\n ipv4hint=192.0.2.1 )",
        "0010" + fooExampleOrg + "0000000400010004000100090268320568332d313900040004c0000201"
      ),
      (
        #"SVCB 16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
        "0010" + fooExampleOrg + "0001000c08665c6f6f2c626172026832"
      ),
      (
        #"SVCB 16 foo.example.org. alpn=f\\\092oo\092,bar,h2"#,
        "0010" + fooExampleOrg + "0001000c08665c6f6f2c626172026832"
      ),
    ])
  func appendixD(text: String, hex: String) throws {
    let wire = try #require(Hex.decode(hex))
    let record = try #require(try ZoneFile.parse("@ \(text)", origin: apex).records.first?.record)
    #expect(record.data.wire == wire)
    let parsed = try RecordData(record.type, wire: wire)
    #expect(parsed == record.data)
    let again = try ZoneFile.parse("@ \(record.type) \(parsed.presentation)", origin: apex)
    #expect(again.records.first?.record == record)
  }

  @Test(
    "what RFC 9460 appendix D.3 forbids is refused, and other slips as well",
    arguments: [
      "key123=abc key123=def", "mandatory", "alpn", "port", "ipv4hint", "ipv6hint", "ech", "no-default-alpn=abc",
      "mandatory=key123", "mandatory=mandatory", "mandatory=key123,key123 key123=abc", "key65535=a", "key007=a",
      "port=65536", "port=-1", "ipv4hint=::1", "ipv6hint=1.2.3.4", "alpn=h2,", "ech=AAA", "ech=AAJB", "foo=bar",
      "key1=ab", "\"port=1\"",
    ])
  func refusals(parameters: String) throws {
    #expect(throws: ZoneFileError.self) { try ZoneFile.parse("@ SVCB 1 foo.example.com. \(parameters)", origin: apex) }
  }

  @Test("parameters are in ascending order whatever the order of setting, and the last value stays")
  func order() throws {
    var binding = ServiceBinding(priority: 1, target: .root)
    binding.setPort(1)
    try binding.set(.init(rawValue: 9), to: [1])
    try binding.setALPN(["h3"])
    binding.setPort(8443)
    binding.setMandatory([.port, .alpn, .port])
    try binding.setAddressHints([.loopbackV6, .loopbackV4])
    #expect(binding.parameters.map(\.key.rawValue) == [0, 1, 3, 4, 6, 9])
    #expect(binding.port == 8443)
    #expect(binding.mandatory == [.alpn, .port])
    #expect(binding.ipv4hint == [.loopbackV4] && binding.ipv6hint == [.loopbackV6])
    binding.remove(.port)
    #expect(binding.port == nil)
  }

  @Test("empty lists set nothing, and the reserved key and misshapen values are refused")
  func setting() throws {
    var binding = ServiceBinding(priority: 1, target: .root)
    try binding.setALPN([])
    binding.setMandatory([])
    try binding.setAddressHints([])
    #expect(binding.parameters.isEmpty)
    #expect(throws: ServiceBindingError.reservedKey) { try binding.set(.invalid, to: []) }
    #expect(throws: ServiceBindingError.badValue(.port)) { try binding.set(.port, to: [1]) }
    #expect(throws: ServiceBindingError.badValue(.port)) { try binding.set(.port, to: [1, 2, 3]) }
    #expect(throws: ServiceBindingError.badValue(.ipv4hint)) { try binding.set(.ipv4hint, to: [1, 2, 3]) }
    #expect(throws: ServiceBindingError.badValue(.alpn)) { try binding.setALPN([String(repeating: "a", count: 256)]) }
    #expect(throws: ServiceBindingError.badValue(.alpn)) { try binding.setALPN([""]) }
    #expect(throws: ServiceBindingError.badValue(.ech)) { try binding.set(.ech, to: [0, 2, 1]) }
    #expect(throws: ServiceBindingError.tooLong(.ech)) { try binding.setECH(Array(repeating: 0, count: 65534)) }
    try binding.setECH([7])
    #expect(binding.ech == [7] && binding.value(of: .ech) == [0, 1, 7])
    #expect(binding.parameters.count == 1)
  }

  @Test("surplus bytes of lenient values are dropped as the reference drops them, and the reserved key is carried")
  func leniency() throws {
    let data = try RecordData(
      .https, wire: Hex.decode("000100" + "0000000400030001" + "00020001ff" + "0003000301bb09" + "ffff000101")!)
    guard case .https(let binding) = data else {
      Issue.record("not HTTPS")
      return
    }
    #expect(binding.mandatory == [.alpn, .port])
    #expect(binding.noDefaultALPN && binding.value(of: .noDefaultALPN) == [])
    #expect(binding.port == 443)
    // Only the form of RFC 3597 can express the reserved key.
    #expect(data.presentation.hasPrefix("\\# "))
    #expect(try ZoneFile.parse("@ HTTPS \(data.presentation)", origin: apex).records.first?.record.data == data)
  }
}
