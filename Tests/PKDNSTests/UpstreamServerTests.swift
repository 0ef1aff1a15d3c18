import Addresses
import Cryptography
import DNSWire
import Testing

@testable import PKDNS

@Suite("Name servers to forward to")
struct UpstreamServerTests {
  @Test(
    "texts that name a server",
    arguments: [
      ("8.8.8.8", "8.8.8.8:53"), ("8.8.8.8:5353", "8.8.8.8:5353"), ("2001:db8::1", "[2001:db8::1]:53"),
      ("[2001:db8::1]", "[2001:db8::1]:53"), ("[2001:db8::1]:54", "[2001:db8::1]:54"), ("udp://8.8.8.8", "8.8.8.8:53"),
      ("tcp://8.8.8.8", "tcp://8.8.8.8:53"), ("tls://9.9.9.9#dns.quad9.net", "tls://9.9.9.9:853#dns.quad9.net"),
      ("tls://9.9.9.9:8853", "tls://9.9.9.9:8853"),
      ("https://9.9.9.9/dns-query#dns.quad9.net", "https://9.9.9.9:443/dns-query#dns.quad9.net"),
      ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/dns-query"),
    ])
  func good(text: String, canonical: String) throws {
    let server = try #require(UpstreamServer(text))
    #expect(server.description == canonical)
    #expect(UpstreamServer(canonical) == server)
  }

  @Test(
    "texts that do not",
    arguments: [
      "", "dns.example", "dns.example:53", "8.8.8.8:0", "8.8.8.8:70000", "8.8.8", "tls://dns.example", "ftp://8.8.8.8",
      "8.8.8.8#name", "tls://8.8.8.8#", "tls://8.8.8.8#a b", "tls://8.8.8.8/path", "https://8.8.8.8/a?b=c",
      "https://8.8.8.8/ä", "https://dns.example/dns-query", String(repeating: "1", count: 2000),
    ])
  func bad(text: String) { #expect(UpstreamServer(text) == nil) }

  @Test("an encrypted question is padded to 128 bytes, and has no random case")
  func padding() throws {
    var random = RandomSource(seed: 1)
    var style = UpstreamQuery.Style()
    style.paddedTo = 128
    for label in 1...63 {
      let name = try DomainName(String(repeating: "a", count: label) + ".example")
      let query = UpstreamQuery(UpstreamQuestion(name, .aaaa), id: 0x1234, style: style, random: &random)
      #expect(query.bytes.count == 128)
      let message = try Message(parsing: query.bytes)
      #expect(message.questions == [.init(name: name, type: .aaaa)] && message.options?.class.rawValue == 1232)
    }
  }

  @Test("flags of a question: RD, CD and DO")
  func flags() throws {
    var random = RandomSource(seed: 1)
    var question = UpstreamQuestion(.root, .ns)
    for (rd, cd, dnssec) in [(true, false, false), (false, true, true)] {
      question.recursionDesired = rd
      question.checkingDisabled = cd
      question.wantsSignatures = dnssec
      let message = try Message(
        parsing: UpstreamQuery(question, id: 1, style: UpstreamQuery.Style(), random: &random).bytes)
      #expect(message.header.recursionDesired == rd && message.header.checkingDisabled == cd)
      #expect(message.options?.ttl == (dnssec ? 0x8000 : 0) && !message.header.isResponse)
    }
  }
}

@Suite("Small values of the DNS server")
struct SmallValueTests {
  @Test("messages of a stream come out whole however the bytes are cut")
  func frames() {
    let messages = (0..<50).map { [UInt8](repeating: UInt8($0), count: ($0 * 131) % 1500) }
    var bytes: [UInt8] = []
    for message in messages { message.withUnsafeBytes { StreamFrames.append($0, to: &bytes) } }
    for size in [1, 2, 3, 7, 100, 1000, 4096, 100_000] {
      var frames = StreamFrames()
      var found: [[UInt8]] = []
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = Array(rest.prefix(size))
        rest = rest.dropFirst(size)
        piece.withUnsafeBytes { piece in
          frames.receive(piece) { message in
            found.append(message.withUnsafeBytes { [UInt8]($0) })
            return true
          }
        }
      }
      #expect(found == messages && frames.bufferedBytes == 0, "pieces of \(size)")
    }
  }

  @Test("deadlines come out in order")
  func deadlines() {
    var queue = DeadlineQueue()
    var random = RandomSource(seed: 5)
    let times = (0..<500).map { _ in random.next() % 1000 }
    for (index, time) in times.enumerated() { queue.insert(UInt64(index), at: time) }
    var found: [UInt64] = []
    #expect(queue.popDue(at: 0) == nil || times.contains(0))
    while let number = queue.popDue(at: 1000) { found.append(times[Int(number)]) }
    #expect(found.count >= 499 && found == found.sorted() && queue.first == nil)
  }
}
