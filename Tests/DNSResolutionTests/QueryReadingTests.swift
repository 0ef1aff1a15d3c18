import Addresses
import DNSWire
import Testing

@testable import DNSResolution

@Suite struct QueryReadingTests {
  private let harness = ResolverHarness()
  private typealias Options = ResolverHarness.QueryOptions

  private func bytes(_ change: (inout [UInt8]) -> Void) throws -> [UInt8] {
    var bytes = try ResolverHarness.query("example.com")
    change(&bytes)
    return bytes
  }

  @Test("what is shorter than a header, or a response, is dropped")
  func notQueries() throws {
    let query = try ResolverHarness.query("example.com")
    for length in 0..<12 { #expect(harness.answer(Array(query.prefix(length))) == nil) }
    #expect(harness.answer(try bytes { $0[2] |= 0x80 }) == nil)
    #expect(harness.resolver.counters.notQueries == 13)
    #expect(harness.forwarded.isEmpty)
  }

  @Test("a header whose body is broken gets FORMERR: twelve bytes with its id")
  func brokenBodies() throws {
    let query = try ResolverHarness.query("example.com")
    var broken = (12..<query.count).map { Array(query.prefix($0)) }
    broken.append(try bytes { $0[12] = 64 })
    broken.append(try bytes { $0[12] = 0xc0 })
    broken.append(try bytes { $0[5] = 0 })
    broken.append(try bytes { $0[5] = 2 })
    broken.append(try bytes { $0[11] = 2 })
    broken.append(try bytes { $0[6] = 255 })
    // A name of 255 labels' bytes without end.
    broken.append(
      Array(query.prefix(12)) + Array(repeating: [63] + Array(repeating: UInt8(97), count: 63), count: 5).joined() + [
        0, 0, 1, 0, 1,
      ])
    for message in broken {
      let reply = try Reply(try #require(harness.answer(message)))
      #expect(reply.bytes.count == 12 && reply.code == 1 && reply.message.header.id == 0x1234)
    }
    #expect(broken.count > 30)
  }

  @Test("two OPT records, one that is not at the root, and broken options are FORMERR")
  func brokenOptions() throws {
    let query = try ResolverHarness.query("example.com", .a, Options(hasOPT: false))
    let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
    let bad: [[UInt8]] = [
      opt + opt, [1, 97] + opt,
      [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 3, 0, 10, 0],
      [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 10, 0, 9, 1, 2],
    ]
    for (index, records) in bad.enumerated() {
      var message = query + records
      message[11] = index == 0 ? 2 : 1
      #expect(try Reply(try #require(harness.answer(message))).code == 1, "\(index)")
    }
    for length in [0, 7, 9, 15, 41] {
      let cookie: [UInt8] = [0, 10, 0, UInt8(length)] + Array(repeating: 1, count: length)
      let reply = try harness.ask("example.com", .a, Options(options: cookie))
      #expect(reply.code == 1, "cookie of \(length) bytes")
    }
  }

  @Test("other opcodes get NOTIMP and come back; the bit Z is ignored")
  func opcodesAndZ() throws {
    for opcode in 1..<16 as Range<UInt8> {
      let reply = try Reply(try #require(harness.answer(try bytes { $0[2] |= opcode << 3 })))
      #expect(reply.code == 4 && reply.message.header.opcode == opcode && reply.bytes.count == 12)
    }
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("example.com", .a, "192.0.2.1")]) }
    let reply = try Reply(try #require(harness.answer(try bytes { $0[3] |= 0x40 })))
    #expect(reply.code == 0 && reply.answers == ["example.com A 192.0.2.1"])
    #expect(reply.message.header.flags & 0x40 == 0)
  }

  @Test("a later version of EDNS gets BADVERS, whatever its options look like")
  func badVersion() throws {
    let reply = try harness.ask("example.com", .a, Options(version: 1, options: [9, 9, 9]))
    #expect(reply.code == 16 && reply.message.options?.ttl == 0x0100_0000)
    #expect(reply.message.questions.count == 1 && harness.forwarded.isEmpty)
  }

  @Test("an OPT record comes back exactly if one was sent, with our size, version 0 and the DO bit")
  func ednsEcho() throws {
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("example.com", .a, "192.0.2.1")]) }
    #expect(try harness.ask("example.com", .a, Options(hasOPT: false)).message.options == nil)
    let plain = try harness.ask("example.com")
    #expect(plain.message.options?.class.rawValue == 1232 && plain.message.options?.ttl == 0)
    #expect(try harness.ask("example.com", .a, Options(dnssec: true)).message.options?.ttl == 0x8000)
    // An unknown option is ignored.
    #expect(try harness.ask("example.com", .a, Options(options: [0xfd, 0xe9, 0, 2, 7, 7])).code == 0)
  }

  @Test("id, RD and CD come back, RA is set, and the question keeps the case it had")
  func echoes() throws {
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("example.com", .a, "192.0.2.1")]) }
    for name in ["eXaMPle.CoM", "EXAMPLE.com", "example.com"] {
      for flags in [0x0100, 0x0110] as [UInt16] {
        let query = try ResolverHarness.query(name, .a, Options(id: 77, flags: flags))
        let bytes = try #require(harness.answer(query))
        let reply = try Reply(bytes)
        #expect(reply.message.header.flags == 0x8080 | flags && reply.message.header.id == 77)
        #expect(bytes[12..<29] == query[12..<29])
        // The owner is the question's name, so it has its case.
        #expect(reply.answers == ["\(name) A 192.0.2.1"])
      }
    }
    #expect(harness.forwarded.count == 2)
    #expect(harness.forwarded.allSatisfy { $0.question.name.description == "example.com" })
  }

  @Test("every type and class gets an answer")
  func typesAndClasses() throws {
    harness.upstream = { question, _ in response(to: question) }
    for type in [52, 44, 39, 256, 61, 65280, 1234] as [UInt16] {
      #expect(try harness.ask("example.com", RecordType(rawValue: type)).code == 0)
      #expect(harness.forwarded.last?.question.type.rawValue == type)
    }
    let forwards = harness.forwarded.count
    for type in [251, 252] as [UInt16] { #expect(try harness.ask("example.com", RecordType(rawValue: type)).code == 5) }
    for type in [0, 41, 128, 249, 250, 253, 254] as [UInt16] {
      #expect(try harness.ask("example.com", RecordType(rawValue: type)).code == 4)
    }
    for value in [2, 3, 4, 254, 77, 0] as [UInt16] {
      #expect(try harness.ask("example.com", .a, Options(class: RecordClass(rawValue: value))).code == 5)
    }
    #expect(try harness.ask("example.com", .a, Options(class: .any)).code == 4)
    #expect(harness.forwarded.count == forwards)
  }

  @Test("ANY elsewhere is answered here with HINFO (RFC 8482)")
  func any() throws {
    let reply = try harness.ask("example.com", .any)
    #expect(reply.answers == [#"example.com HINFO "RFC8482" """#])
    #expect(reply.error?.code == 29 && harness.forwarded.isEmpty)
  }

  @Test("the root is a name like any other")
  func root() throws {
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord(".", .ns, "a.root-servers.net.")]) }
    #expect(try harness.ask(".", .ns).answers == [". NS a.root-servers.net."])
  }

  @Test("lower case touches letters only, at every length of a name")
  func lowerCase() throws {
    var scratch = QuestionScratch(seed: 3)
    for length in 1...60 {
      for base in stride(from: 0, to: 256, by: 50) {
        let label = (0..<length).map { UInt8(truncatingIfNeeded: base + $0 * 7) }
        let name = try DomainName(labels: [label])
        let question = name.wire + [0x41, 0x42, 0x43, 0x44]
        scratch.set(question.span.bytes)
        #expect(Array(scratch.question) == name.lowercased.wire + [0x41, 0x42, 0x43, 0x44])
      }
    }
  }
}
