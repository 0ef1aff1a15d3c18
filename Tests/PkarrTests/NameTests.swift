import Pkarr
import TestSupport
import Testing

@Suite struct NameTests {
  struct File: Decodable {
    struct Normalise: Decodable {
      let origin: String
      let input: String
      let output: String
    }
    struct Checked: Decodable {
      struct Case: Decodable {
        let input: String
        let note: String
        let result: String
        let text: String?
      }
      let cases: [Case]
    }
    let normalise: [Normalise]
    let checkedName: Checked
  }

  private func file() throws -> File { try Vectors.load("pkarr/names.json", keys: .convertFromSnakeCase) }

  @Test("a name becomes the name below the key that the network makes of it")
  func normalise() throws {
    let rows = try file().normalise
    #expect(rows.count == 20)
    for row in rows {
      let key = try PublicKey(parsing: row.origin)
      #expect(key.z32 == row.origin)
      #expect(key.fullName(of: row.input) == row.output, "\(row.input)")
      // Through labels, empty ones vanish first.
      let domain = try key.fullName(of: DomainName(row.input))
      let collapsed = row.input == "foo.." ? "foo." + row.origin : row.output.replacing("..", with: ".")
      #expect(domain.text == collapsed, "\(row.input)")
    }
  }

  @Test("the names that the reference takes unasked can be published, and so can @, * and trailing underscores")
  func checked() throws {
    let rows = try file().checkedName.cases
    #expect(rows.count == 24)
    let keypair = try Keypair(seed: [UInt8](repeating: 1, count: 32))
    let ours = ["foo_", "@", "*", "*.foo"]
    for row in rows {
      let strict = try? DomainName(checked: row.input)
      #expect((strict != nil) == (row.result == "ok"), "\(row.note)")
      #expect(strict?.text == row.text)
      let packet = try? SignedPacket(signedBy: keypair) { A(row.input, "192.0.2.1") }
      let fits = row.input.utf8.count < 200
      #expect((packet != nil) == ((row.result == "ok" || ours.contains(row.input)) && fits), "\(row.note)")
    }
  }

  @Test("other bytes in names need to be asked for, and lengths are never negotiable")
  func unchecked() throws {
    let keypair = Keypair()
    for name in ["-foo", "foo-", "fo o", "füü", "a*b", "@.foo", #"a\.b"#, #"\255"#, "a/b"] {
      let builder = SignedPacketBuilder().a(name, "192.0.2.1", ttl: 60)
      let error = #expect(throws: SignedPacketBuildError.self) { try builder.sign(with: keypair) }
      guard case .invalidName(name, .characterNotAllowed)? = error else {
        Issue.record("\(name): \(String(describing: error))")
        continue
      }
      #expect(error?.name == "FailedToWrite")
      let packet = try builder.allowingAnyName().sign(with: keypair)
      let full = try keypair.publicKey.fullName(of: DomainName(name))
      #expect(packet.records.map(\.name) == [full])
      #expect(throws: SignedPacketBuildError.self) { try SignedPacket(signedBy: keypair, records: packet.records) }
      let copy = try SignedPacket(
        signedBy: keypair, timestamp: packet.timestamp, records: packet.records, allowsAnyName: true)
      #expect(copy.isSame(as: packet))
    }
    let label = String(repeating: "x", count: 63)
    // 3 · 64 + 8 and the key's 54 are 254; one more label of 1 is too long.
    for (name, fits) in [("\(label).\(label).\(label).yyyyyyy", true), ("\(label).\(label).\(label).yyyyyyyyy", false)]
    {
      let builder = SignedPacketBuilder().a(name, "192.0.2.1", ttl: 60).allowingAnyName()
      #expect(((try? builder.sign(with: keypair)) != nil) == fits)
    }
    #expect(throws: SignedPacketBuildError.invalidName(label + "x", .labelTooLong(64))) {
      try SignedPacketBuilder().a(label + "x", "192.0.2.1", ttl: 60).allowingAnyName().sign(with: keypair)
    }
    #expect(throws: SignedPacketBuildError.invalidName(#"a\"#, .badEscape)) {
      try SignedPacketBuilder().a(#"a\"#, "192.0.2.1", ttl: 60).sign(with: keypair)
    }
  }

  @Test("a name is shown relative to its key: @, the labels in front, or absolute")
  func relative() throws {
    let key = Keypair().publicKey
    for (name, expected) in [("@", "@"), ("www", "www"), ("a.b", "a.b"), ("*.c", "*.c"), (key.z32, "@")] {
      #expect(key.relativeName(of: try key.fullName(of: DomainName(name))) == expected)
    }
    #expect(key.relativeName(of: try DomainName("example.com")) == "example.com.")
    #expect(key.relativeName(of: .root) == ".")
    #expect(key.domainName.text == key.z32)
  }
}
