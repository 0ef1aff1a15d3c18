import Addresses
import Foundation
import HTTP
import Mainline
import Pkarr
import PkarrClient
import TestSupport
import Testing

@testable import PkarrSite

@Suite("A site on a key", .serialized)
struct SiteTests {
  @Test("a client finds a site through the DHT by its key, and the key proves itself")
  func roundTrip() async throws {
    let fixture = try SiteFixture()
    try fixture.write("index.html", "home")
    let large = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    try fixture.write("large.bin", large)
    try await withNetwork { client, _ in
      let site = try await fixture.server { $0.threads = 2 }
      var publisher = SitePublisher(
        client, fixture.keypair, at: .init(addresses: [.loopbackV4], port: site.localEndpoints[0].port))
      let publication = try await publisher.publish()
      #expect(publication.report.storedNodes >= 1 && publication.packet.recordCount == 2)

      let web = try HTTPClient(findingKeysThrough: client)
      let home = try await web.fetch(
        HTTPClientRequest(.get, try #require(HTTPURL(site.url))), upTo: 100, timeout: .seconds(60))
      #expect(home.response.status == .ok && home.body == Array("home".utf8))
      #expect(home.response.route.identity == .rawKey(fixture.keypair.publicKey.verificationKey))
      let file = try await web.fetch(
        HTTPClientRequest(.get, try #require(HTTPURL(site.url + "large.bin"))), upTo: 4_000_000, timeout: .seconds(60))
      #expect(file.body == [UInt8](large))
      // Without encryption a key is never asked: the same connection, whatever the scheme.
      let plain = try #require(HTTPURL(site.url.replacing("https:", with: "http:")))
      let upgraded = try await web.fetch(HTTPClientRequest(.get, plain), upTo: 100, timeout: .seconds(60))
      #expect(upgraded.response.route.identity == .rawKey(fixture.keypair.publicKey.verificationKey))
      await site.shutdown(grace: .zero)
    }
  }

  @Test("a server with another key is refused before anything is sent to it")
  func wrongKey() async throws {
    let fixture = try SiteFixture()
    try fixture.write("index.html", "home")
    try await withNetwork { client, _ in
      let site = try await fixture.server()
      let victim = Keypair()
      var publisher = SitePublisher(
        client, victim, at: .init(addresses: [.loopbackV4], port: site.localEndpoints[0].port))
      _ = try await publisher.publish()
      let url = try #require(HTTPURL("https://\(victim.publicKey)/"))
      await #expect(
        performing: {
          try await HTTPClient(findingKeysThrough: client).send(HTTPClientRequest(.get, url))
        }, throws: { "\($0)".contains("another key than the expected one") })
      #expect(await site.statistics().requests == 0)
      await site.shutdown(grace: .zero)
    }
  }

  @Test("the first endpoint is dead and the second alive: the second answers, also if it is another key's")
  func failOver() async throws {
    let fixture = try SiteFixture()
    try fixture.write("index.html", "home")
    try await withNetwork { client, _ in
      let site = try await fixture.server()
      var publisher = SitePublisher(
        client, fixture.keypair, at: .init(addresses: [.loopbackV4], port: site.localEndpoints[0].port))
      _ = try await publisher.publish()
      let front = Keypair()
      var dead = ServiceBinding(priority: 1, target: .root)
      dead.setPort(UInt16(try FreePort.take()))
      var unusable = ServiceBinding(priority: 2, target: try DomainName("nowhere.invalid"))
      unusable.setMandatory([ServiceBinding.Key(rawValue: 4711)])
      try unusable.set(ServiceBinding.Key(rawValue: 4711), to: [1])
      let alive = ServiceBinding(priority: 3, target: fixture.keypair.publicKey.domainName)
      try await client.publish(
        SignedPacket(signedBy: front) {
          Record("@", .https(dead))
          Record("@", .https(unusable))
          Record("@", .https(alive))
          A("@", "127.0.0.1")
        })
      let url = try #require(HTTPURL("https://\(front.publicKey)/"))
      let answer = try await HTTPClient(findingKeysThrough: client).fetch(
        HTTPClientRequest(.get, url), upTo: 100, timeout: .seconds(60))
      #expect(answer.body == Array("home".utf8))
      #expect(answer.response.route.identity == .rawKey(fixture.keypair.publicKey.verificationKey))
      await site.shutdown(grace: .zero)
    }
  }

  @Test("a key without endpoints, a loop and a chain of eight keys each end with the reason")
  func noEndpoints() async throws {
    try await withNetwork { client, _ in
      let web = try HTTPClient(findingKeysThrough: client)
      func failure(_ key: PublicKey) async -> String {
        do {
          _ = try await web.send(HTTPClientRequest(.get, try #require(HTTPURL("https://\(key)/"))))
          return ""
        } catch {
          return "\(error)"
        }
      }
      let (loop, empty, missing) = (Keypair(), Keypair(), Keypair())
      try await client.publish(
        SignedPacket(signedBy: loop) {
          Record("@", .https(ServiceBinding(priority: 1, target: loop.publicKey.domainName)))
        })
      try await client.publish(SignedPacket(signedBy: empty) { A("@", "127.0.0.1") })
      let chain = (0..<8).map { _ in Keypair() }
      for (index, keypair) in chain.enumerated() {
        let next = index == 7 ? DomainName.root : chain[index + 1].publicKey.domainName
        try await client.publish(
          SignedPacket(signedBy: keypair) {
            Record("@", .https(ServiceBinding(priority: 1, target: next)))
            A("@", "127.0.0.1")
          })
      }
      #expect(await failure(loop.publicKey).contains("in a loop: \(loop.publicKey) comes a second time"))
      #expect(await failure(empty.publicKey).contains("has no record that says where its service is"))
      #expect(await failure(missing.publicKey).contains("\(missing.publicKey): no packet found"))
      #expect(await failure(chain[0].publicKey).contains("more than 7 packets"))
    }
  }

  @Test("a packet of a stranger does not decide how many places are looked at, and a key with a slip is no domain")
  func bounds() async throws {
    let fixture = try SiteFixture()
    try fixture.write("index.html", "home")
    let site = try await fixture.server()
    for (count, isFound) in [(15, true), (16, false)] {
      var bindings: [ServiceBinding] = []
      for index in 0..<count {
        var binding = ServiceBinding(priority: UInt16(index), target: try DomainName("a\(index)"))
        binding.setMandatory([ServiceBinding.Key(rawValue: 4711)])
        try binding.set(ServiceBinding.Key(rawValue: 4711), to: [])
        bindings.append(binding)
      }
      var good = ServiceBinding(priority: 1000, target: .root)
      good.setPort(site.localEndpoints[0].port)
      let packet = try SignedPacket(signedBy: fixture.keypair) {
        for binding in bindings { Record("@", .https(binding)) }
        Record("@", .https(good))
        A("@", "127.0.0.1")
      }
      var configuration = HTTPClientConfiguration()
      configuration.findKeys { _ in packet }
      let client = try HTTPClient(configuration)
      let request = HTTPClientRequest(.get, try #require(HTTPURL(site.url)))
      if isFound {
        #expect(try await client.send(request).status == .ok)
      } else {
        await #expect(performing: { try await client.send(request) }, throws: { "\($0)".contains("4711") })
      }
      let slip = "y" + site.url.dropFirst("https://".count + 1).dropLast()
      for scheme in ["http", "https"] {
        let wrong = HTTPClientRequest(.get, try #require(HTTPURL("\(scheme)://www.\(slip.prefix(51))v/")))
        await #expect(performing: { try await client.send(wrong) }, throws: { "\($0)".contains("is not a key") })
      }
    }
    await site.shutdown(grace: .zero)
  }

  @Test("endpoints of a client are found lazily, and the first of each kind at once")
  func clientEndpoints() async throws {
    try await withNetwork { client, _ in
      let (keypair, missing) = (Keypair(), Keypair())
      func binding(_ priority: UInt16, _ target: DomainName) -> ServiceBinding {
        var binding = ServiceBinding(priority: priority, target: target)
        binding.setPort(4433)
        return binding
      }
      let domain = try DomainName("service.example")
      try await client.publish(
        SignedPacket(signedBy: keypair) {
          Record("@", .https(binding(1, .root)))
          Record("@", .https(binding(2, missing.publicKey.domainName)))
          Record("@", .svcb(binding(1, domain)))
          A("@", "192.0.2.7")
        })
      let key = keypair.publicKey.z32
      let https = try await client.firstHTTPSEndpoint(of: "https://\(key)/path")
      #expect(await https.socketAddresses().map(\.description) == ["192.0.2.7:4433"])
      let svcb = try await client.firstSVCBEndpoint(of: key)
      #expect(svcb.domain == "service.example" && svcb.port == 4433)
      await #expect(throws: EndpointError.noKey("example.com")) {
        try await client.firstHTTPSEndpoint(of: "example.com")
      }
      // The second endpoint needs another packet; the first one does not.
      var iterator = client.endpoints(of: key).makeAsyncIterator()
      #expect(await iterator.next()?.target == "." && iterator.failures.isEmpty)
      #expect(await iterator.next() == nil && iterator.failures.count == 1)
    }
  }

  @Test("a site's place is published beside what is there, again as it is, and in the place of an older one")
  func publisher() async throws {
    try await withNetwork { client, testnet in
      let keypair = Keypair()
      let key = keypair.publicKey
      try await client.publish(
        SignedPacket(signedBy: keypair) {
          TXT("_note", "stays")
          A("@", "192.0.2.1")
          A("www", "192.0.2.2")
          Record("@", .https(ServiceBinding(priority: 1, target: .root)))
          Record("@", .https(ServiceBinding(priority: 9, target: try! DomainName("browser.example"))))
        })
      var publisher = SitePublisher(client, keypair, at: .init(addresses: [.loopbackV4, .loopbackV6], port: 8443))
      let first = try await publisher.publish()
      let lines = first.packet.records.map { "\(key.relativeName(of: $0.name)) \($0.type) \($0.ttl)" }
      #expect(
        lines == [
          "@ HTTPS 3600", "@ A 3600", "@ AAAA 3600", "_note TXT 300", "www A 300", "@ HTTPS 300",
        ])
      let second = try await publisher.publish()
      #expect(second.packet.isSame(as: first.packet))
      // Somebody else's change stays.
      let other = try await PkarrClient(testnet.clientConfiguration)
      try await other.publish(updating: keypair) { state in
        for record in state.packet?.records ?? [] { record }
        TXT("_new", "of another program")
      }
      let third = try await publisher.publish()
      #expect(third.packet.isMoreRecent(than: first.packet) && third.packet.recordCount == 7)
      var moved = SitePublisher(client, keypair, at: .init(addresses: [.loopbackV4], port: 443), replacesAll: true)
      let last = try await moved.publish()
      #expect(last.packet.recordCount == 2 && !last.packet.records.contains { $0.type == .txt })
      await other.shutdown()
    }
  }

  @Test("a folder that is not there is an error, and a port that is taken too")
  func startErrors() async throws {
    let fixture = try SiteFixture()
    #expect(throws: SiteError.self) {
      try SiteServer(SiteServer.Configuration(folder: fixture.folder.path + "/none", keypair: Keypair()))
    }
    let site = try await fixture.server()
    let second = try SiteServer(
      {
        var configuration = SiteServer.Configuration(folder: fixture.site.path, keypair: fixture.keypair)
        configuration.port = site.localEndpoints[0].port
        return configuration
      }())
    await #expect(throws: SiteError.self) { try await second.start() }
    await site.shutdown(grace: .zero)
  }
}
