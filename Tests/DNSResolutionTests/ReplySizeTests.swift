import Addresses
import Cryptography
import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

/// Truncation, padding and keepalive: what depends on the transport.
@Suite struct ReplySizeTests {
  private typealias Options = ResolverHarness.QueryOptions
  private let harness = ResolverHarness()

  private func origin(_ transport: QueryOrigin.Transport) -> QueryOrigin {
    QueryOrigin(Endpoint(IPAddress(203, 0, 113, 9), port: 5353), transport)
  }

  @Test("over UDP an answer keeps to the client's size, 512 without one, and 1232 at most, or is cut with TC")
  func truncation() throws {
    harness.upstream = { question, _ in
      let count = Int(String(decoding: question.name.labels.first { _ in true }!, as: UTF8.self))!
      return response(
        to: question,
        (0..<count).map {
          ResourceRecord(name: question.name, ttl: 60, data: .address(IPAddress(v4: UInt32(0xc000_0200) + UInt32($0))))
        })
    }
    // 12 + question + 16 a record + 11 for OPT.
    for (count, size, hasOPT) in [
      (10, 512, false), (29, 512, true), (30, 512, true), (31, 512, true), (60, 1232, true), (74, 1232, true),
      (75, 1232, true),
      (76, 1232, true), (80, 4096, true), (10, 0, true), (40, 700, true),
    ] as [(Int, UInt16, Bool)] {
      let name = "\(count).example"
      let options = Options(hasOPT: hasOPT, size: size)
      let whole = try harness.ask(name, .a, from: origin(.tcp), options)
      #expect(whole.answers.count == count && !whole.message.header.isTruncated)
      let limit = min(max(Int(size), 512), 1232)
      let reply = try harness.ask(name, .a, from: origin(.udp), options)
      #expect(reply.bytes.count <= limit)
      if whole.bytes.count <= limit {
        #expect(reply.bytes == whole.bytes)
      } else {
        #expect(reply.message.header.isTruncated && reply.answers.isEmpty && reply.message.questions.count == 1)
        #expect((reply.message.options != nil) == hasOPT)
      }
    }
    #expect(harness.resolver.counters.truncated > 0)
  }

  @Test("the additional section goes first, without TC")
  func additionalsGoFirst() throws {
    let keypair = Keypair()
    let key = keypair.publicKey.z32
    let lines = (0..<8).map { "@ 300 SRV 0 0 \($0) h\nh 300 AAAA 2001:db8::\($0)" }.joined(separator: "\n")
    harness.packets[keypair.publicKey] = .packet(
      try ResolverHarness.packet(keypair, String(lines), at: harness.wallClock), source: .dht)
    let whole = try harness.ask(key, .srv, from: origin(.tcp))
    #expect(whole.answers.count == 8 && whole.additionals.count == 8)
    let length = whole.bytes.count
    var seen = Set<Int>()
    for size in stride(from: 512, to: length, by: 40) where size <= 1232 {
      let reply = try harness.ask(key, .srv, from: origin(.udp), Options(size: UInt16(size)))
      #expect(reply.bytes.count <= size && reply.additionals.isEmpty)
      #expect(reply.message.header.isTruncated == reply.answers.isEmpty)
      seen.insert(reply.answers.count)
    }
    #expect(seen == [0, 8])
  }

  @Test("every size of buffer gets an answer that fits, or none")
  func smallBuffers() throws {
    harness.upstream = { question, _ in
      response(
        to: question,
        (0..<9).map { ResourceRecord(name: question.name, ttl: 60, data: .address(IPAddress(192, 0, 2, $0))) })
    }
    _ = try harness.ask("example.com")
    let query = try ResolverHarness.query("example.com", .a, Options(options: [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]))
    for size in 0..<300 {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
      defer { buffer.deallocate() }
      let disposition = harness.resolver.receive(
        query.span.bytes, from: ResolverHarness.client, now: harness.now, wallClock: harness.wallClock, into: buffer)
      guard case .reply(let count) = disposition else { continue }
      #expect(count <= size)
      _ = try Reply([UInt8](buffer[..<count]))
    }
  }

  @Test("padding fills blocks of 468 bytes, on encrypted transports and on request only (RFC 8467)")
  func padding() throws {
    let padded = Options(options: [0, 12, 0, 4, 0, 0, 0, 0])
    for transport in [QueryOrigin.Transport.tls, .https] {
      #expect(try harness.ask("localhost", .a, from: origin(transport), padded).bytes.count == 468)
      #expect(try harness.ask("localhost", .a, from: origin(transport)).options[12] == nil)
    }
    for transport in [QueryOrigin.Transport.udp, .tcp] {
      #expect(try harness.ask("localhost", .a, from: origin(transport), padded).options[12] == nil)
    }
    harness.upstream = { question, _ in
      response(
        to: question,
        (0..<40).map { ResourceRecord(name: question.name, ttl: 60, data: .address(IPAddress(192, 0, 2, $0))) })
    }
    #expect(try harness.ask("example.com", .a, from: origin(.tls), padded).bytes.count == 936)
    harness.resolver.policy.paddingBlock = 0
    #expect(try harness.ask("localhost", .a, from: origin(.tls), padded).options[12] == nil)
  }

  @Test("keepalive is told to those who ask, on TCP and TLS only (RFC 7828)")
  func keepalive() throws {
    let options = Options(options: [0, 11, 0, 0])
    for transport in [QueryOrigin.Transport.tcp, .tls] {
      #expect(try harness.ask("localhost", .a, from: origin(transport), options).options[11] == [0, 100])
      #expect(try harness.ask("localhost", .a, from: origin(transport)).options[11] == nil)
    }
    for transport in [QueryOrigin.Transport.udp, .https] {
      #expect(try harness.ask("localhost", .a, from: origin(transport), options).options[11] == nil)
    }
  }

  @Test("a cookie alone is answered without a question (RFC 7873 §5.4)")
  func cookieOnly() throws {
    let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]
    let reply = try Reply(try #require(harness.answer([1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] + opt)))
    #expect(reply.code == 0 && reply.message.questions.isEmpty && reply.options[10]?.count == 24)
  }

  @Test("extended errors go to those who have an OPT record, unless they are off")
  func extendedErrors() throws {
    let key = Keypair().publicKey.z32
    #expect(try harness.ask(key, .a, Options(hasOPT: false)).error == nil)
    #expect(try harness.ask(key).error != nil)
    harness.resolver.policy.extendedErrors = false
    #expect(try harness.ask(key).error == nil)
    let long = ExtendedError.networkError(String(repeating: "é\n", count: 100))
    #expect(long.text.utf8.count == 100 && long.text.utf8.allSatisfy { $0 == 0x3f })
  }

  @Test("the server's identifier is told to those who ask, if it has one (RFC 5001)")
  func serverIdentifier() throws {
    typealias Options = ResolverHarness.QueryOptions
    let harness = ResolverHarness { $0.serverIdentifier = Array("ns1.example".utf8) }
    let asking = Options(options: [0, 3, 0, 0])
    let udp = QueryOrigin(ResolverHarness.client.client, .udp)
    for origin in [ResolverHarness.client, udp] {
      #expect(try harness.ask("localhost", .a, from: origin, asking).options[3] == Array("ns1.example".utf8))
      #expect(try harness.ask("localhost", .a, from: origin).options[3] == nil)
    }
    harness.resolver.policy.serverIdentifier = Array(repeating: 7, count: 200)
    #expect(try harness.ask("localhost", .a, from: udp, asking).options[3]?.count == 64)
    harness.resolver.policy.serverIdentifier = []
    #expect(try harness.ask("localhost", .a, from: udp, asking).options[3] == nil)
  }
}
