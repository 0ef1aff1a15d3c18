import Addresses
import Pkarr
import TestSupport
import Testing

@Suite("Endpoints")
struct EndpointTests {
  struct File: Decodable {
    struct Case: Decodable {
      enum Records: Decodable {
        case list([Record]), same

        init(from decoder: any Decoder) throws {
          let container = try decoder.singleValueContainer()
          if let list = try? container.decode([Record].self) { self = .list(list) } else { self = .same }
        }
      }
      let name: String
      let records: Records?
      let packetId: String?
      let query: String
      let kind: String
      let firstEndpoint: First
    }
    struct Record: Decodable {
      let name: String
      let type: String
      let priority: UInt16
      let target: String
    }
    struct First: Decodable {
      let target: String
      let domain: String?
      let port: UInt16?
      let socketAddressesSorted: [String]?
    }
    struct Recursion: Decodable {
      let chainLength: Int
      let branching: Int?
      let maxDepth: Int?
      let leafTarget: String?
      let leafAddresses: [String]?
      let leafPort: UInt16?
      let resolves: Bool
      let socketAddresses: [String]?
    }
    let cases: [Case]
    let recursion: [Recursion]
  }

  static func file() throws -> File {
    try Vectors.load("pkarr/endpoints.json", as: File.self, keys: .convertFromSnakeCase)
  }

  static func binding(_ priority: UInt16, _ target: String, port: UInt16? = nil) throws -> ServiceBinding {
    var binding = ServiceBinding(priority: priority, target: try DomainName(target))
    if let port { binding.setPort(port) }
    return binding
  }

  static func https(
    _ name: String, _ priority: UInt16, _ target: String, port: UInt16? = nil
  ) throws -> Record { Record(name, .https(try binding(priority, target, port: port)), ttl: 3600) }

  /// Runs a search over packets, and counts the questions.
  struct Walk {
    var packets: [PublicKey: SignedPacket]
    var asked: [PublicKey] = []
    var generator = SystemRandomNumberGenerator()

    init(_ packets: [SignedPacket]) {
      self.packets = Dictionary(packets.map { ($0.publicKey, $0) }, uniquingKeysWith: { $1 })
    }

    mutating func next(_ search: inout EndpointSearch) -> ServiceEndpoint? {
      while true {
        switch search.next() {
        case .end: return nil
        case .endpoint(let endpoint): return endpoint
        case .resolve(let key):
          asked.append(key)
          if let packet = packets[key] {
            search.supply(packet, using: &generator)
          } else {
            search.supply(failure: "not found")
          }
        }
      }
    }

    mutating func all(_ search: inout EndpointSearch) -> [ServiceEndpoint] {
      var found: [ServiceEndpoint] = []
      while let endpoint = next(&search) { found.append(endpoint) }
      return found
    }
  }

  static func packet(_ keypair: Keypair, _ records: [Record]) throws -> SignedPacket {
    try SignedPacket(signedBy: keypair) { for record in records { record } }
  }

  @Test("the first endpoint of a name is the one that the reference finds")
  func vectors() throws {
    let cases = try Self.file().cases
    #expect(cases.count == 3)
    let packets = try SignedPacketVectorTests.load().packets
    var records: [Record] = []
    for row in cases {
      let packet: SignedPacket
      if let id = row.packetId {
        packet = try SignedPacket(try #require(packets.first { $0.id == id }).signedPacketHex.bytes)
      } else {
        if case .list(let list)? = row.records {
          records = try list.map {
            let binding = try Self.binding($0.priority, $0.target)
            return Record($0.name, $0.type == "HTTPS" ? .https(binding) : .svcb(binding), ttl: 3600)
          }
        }
        packet = try Self.packet(Keypair(), records)
      }
      let query = row.query.split(separator: "<key>", omittingEmptySubsequences: false).joined(
        separator: packet.publicKey.z32)
      var search = EndpointSearch(for: query, kind: row.kind == "HTTPS" ? .https : .svcb)
      var walk = Walk([packet])
      let found = walk.next(&search)
      let first = try #require(found, "\(row.name)")
      #expect(first.target == row.firstEndpoint.target && first.domain == row.firstEndpoint.domain)
      #expect(first.port == row.firstEndpoint.port && first.publicKey == packet.publicKey)
      if let addresses = row.firstEndpoint.socketAddressesSorted {
        #expect(first.attachedEndpoints.map(\.description).sorted() == addresses)
      }
    }
  }

  @Test("endpoints are found through as many keys as the reference allows, and no more")
  func recursion() throws {
    let rows = try Self.file().recursion
    #expect(rows.count == 5)
    for row in rows {
      let keys = (0..<max(1, row.chainLength)).map { _ in Keypair() }
      var packets: [SignedPacket] = []
      for (index, keypair) in keys.enumerated() where index < row.chainLength {
        let isLeaf = index == row.chainLength - 1
        let target = isLeaf ? row.leafTarget ?? "." : keys[index + 1].publicKey.z32
        // The reference's test has several records at each key, of which the first by priority leads on.
        var records = try (0..<(row.branching ?? 1)).map {
          try Self.https("@", UInt16($0 + 1), target, port: isLeaf ? row.leafPort : nil)
        }
        if isLeaf {
          records += try (row.leafAddresses ?? []).map {
            Record("@", .address(try #require(IPAddress($0))), ttl: 3600)
          }
        }
        packets.append(try Self.packet(keypair, records))
      }
      var search = EndpointSearch(for: keys[0].publicKey.z32, kind: .https, maximumPackets: row.maxDepth ?? 7)
      var walk = Walk(packets)
      let first = walk.next(&search)
      #expect((first != nil) == row.resolves)
      #expect(walk.asked.count <= row.maxDepth ?? 7)
      guard let first else {
        #expect(!search.failures.isEmpty)
        continue
      }
      #expect(first.publicKey == keys.last?.publicKey)
      if let addresses = row.socketAddresses { #expect(first.attachedEndpoints.map(\.description) == addresses) }
    }
  }

  @Test("a chain of seven keys leads to its end, one of eight ends with the reason")
  func chains() throws {
    for length in [7, 8] {
      let keys = (0..<length).map { _ in Keypair() }
      let packets = try keys.indices.map { index in
        try Self.packet(
          keys[index],
          [Self.https("@", 1, index == length - 1 ? "leaf.example" : keys[index + 1].publicKey.z32)])
      }
      var search = EndpointSearch(for: keys[0].publicKey.z32, kind: .https)
      var walk = Walk(packets)
      let found = walk.all(&search)
      #expect(found.map(\.domain) == (length == 7 ? ["leaf.example"] : []))
      #expect(walk.asked.count == 7)
      #expect(search.failures == (length == 7 ? [] : [.tooManyPackets(7)]))
    }
  }

  @Test("a loop is left on the first time round, and what stands beside it is tried")
  func loops() throws {
    let (one, two) = (Keypair(), Keypair())
    for (first, second) in [(one, one), (one, two)] {
      let packets = [
        try Self.packet(
          first,
          [Self.https("@", 1, "\(second.publicKey.z32)"), Self.https("@", 2, "beside.example")]),
        try second.publicKey == first.publicKey
          ? nil : Self.packet(second, [Self.https("@", 1, first.publicKey.z32)]),
      ].compactMap { $0 }
      var search = EndpointSearch(for: first.publicKey.z32, kind: .https)
      var walk = Walk(packets)
      let found = walk.all(&search)
      #expect(found.map(\.domain) == ["beside.example"])
      #expect(search.failures == [.loop(first.publicKey.z32)])
      #expect(walk.asked.count == packets.count)
    }
  }

  @Test("a way that leads nowhere is passed over, and depth comes before breadth")
  func passedOver() throws {
    let (root, missing, empty, good) = (Keypair(), Keypair(), Keypair(), Keypair())
    let packets = [
      try Self.packet(
        root,
        [
          Self.https("@", 4, "last.example"), Self.https("@", 1, missing.publicKey.z32),
          Self.https("@", 2, empty.publicKey.z32), Self.https("@", 3, "sub.\(good.publicKey.z32)"),
        ]),
      try Self.packet(empty, [Record("@", .address(try #require(IPAddress("192.0.2.1"))), ttl: 60)]),
      try Self.packet(good, [Self.https("sub", 1, "deep.example"), Self.https("@", 1, "other.example")]),
    ]
    var search = EndpointSearch(for: "https://user@\(root.publicKey.z32):8443/path?a=b.c#d", kind: .https)
    var walk = Walk(packets)
    let found = walk.all(&search)
    #expect(found.map(\.target) == ["deep.example", "last.example"])
    #expect(
      search.failures == [.unresolved(missing.publicKey, "not found"), .noRecord(empty.publicKey.z32)])
  }

  @Test("seven packets are asked for at most, whatever a hostile packet names")
  func bounded() throws {
    let root = Keypair()
    let dead = (0..<12).map { _ in Keypair().publicKey.z32 }
    let packet = try Self.packet(root, dead.enumerated().map { try Self.https("@", UInt16($0), $1) })
    var search = EndpointSearch(for: root.publicKey.z32, kind: .https)
    var walk = Walk([packet])
    let found = walk.all(&search)
    #expect(found.isEmpty && walk.asked.count == 7)
    #expect(search.failures.last == .tooManyPackets(7))
  }

  @Test("records of equal priority come in every order, others by their number")
  func order() throws {
    let keypair = Keypair()
    let packet = try Self.packet(
      keypair,
      [
        Self.https("@", 2, "b.example"), Self.https("@", 1, "a.example"), Self.https("@", 2, "c.example"),
        Self.https("@", 0, "alias.example"),
      ])
    var orders: Set<[String]> = []
    for seed in 0..<64 {
      var generator = SmallGenerator(state: UInt64(seed))
      orders.insert(packet.endpoints(named: "@", kind: .https, using: &generator).map(\.target))
    }
    #expect(
      orders == [
        ["alias.example", "a.example", "b.example", "c.example"],
        ["alias.example", "a.example", "c.example", "b.example"],
      ])
  }

  @Test("addresses are those of the name, else those of the apex, and only for a target of a dot")
  func addresses() throws {
    let keypair = Keypair()
    func address(_ name: String, _ text: String) throws -> Record {
      Record(name, .address(try #require(IPAddress(text))), ttl: 60)
    }
    let packet = try Self.packet(
      keypair,
      [
        address("@", "192.0.2.1"), address("@", "2001:db8::1"), address("own", "192.0.2.2"),
        Self.https("own", 1, ".", port: 8443), Self.https("bare", 1, ".", port: 0),
        Self.https("away", 1, "away.example", port: 444),
      ])
    var generator = SystemRandomNumberGenerator()
    func first(_ name: String) throws -> ServiceEndpoint {
      let endpoints = packet.endpoints(named: name, kind: .https, using: &generator)
      return try #require(endpoints.first)
    }
    #expect(try first("own").attachedEndpoints.map(\.description) == ["192.0.2.2:8443"])
    #expect(try first("own").parameter(.port) == [0x20, 0xfb] && first("own").parameter(.alpn) == nil)
    #expect(try first("bare").attachedEndpoints.map(\.description) == ["192.0.2.1:0", "[2001:db8::1]:0"])
    #expect(try first("bare").port == nil)
    #expect(try first("away").addresses.isEmpty && first("away").domain == "away.example")
    #expect(try first("away").port == 444)
    let others =
      packet.endpoints(named: "@", kind: .https, using: &generator)
      + packet.endpoints(named: "own", kind: .svcb, using: &generator)
    #expect(others.isEmpty)
  }

  @Test("a query without a key has no endpoints, and one in another spelling of the key has its own")
  func queries() throws {
    var nothing = EndpointSearch(for: "example.com", kind: .https)
    var walk = Walk([])
    let found = walk.all(&nothing)
    #expect(nothing.name == nil && found.isEmpty && walk.asked.isEmpty)
    let key = Keypair().publicKey
    for (query, name) in [
      (key.z32, key.z32), ("pk:\(key.z32)", key.z32), ("https://a.b.\(key.z32)/x", "a.b.\(key.z32)"),
      ("_foo.\(key.z32)", "_foo.\(key.z32)"), ("https://\(key.z32):80", key.z32),
      ("pubky://\(key.z32)/pub/", key.z32), ("\(key.z32).", key.z32),
    ] {
      #expect(EndpointSearch(for: query, kind: .https).name == name, "\(query)")
    }
  }
}

/// A generator whose numbers follow from its seed.
private struct SmallGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
