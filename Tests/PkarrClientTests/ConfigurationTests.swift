import EventLoops
import Mainline
import Pkarr
import PkarrStore
import Testing

@testable import PkarrClient

@Suite("How a client is set up")
struct ConfigurationTests {
  @Test("the defaults are those of the reference")
  func defaults() {
    let configuration = PkarrClientConfiguration()
    #expect(configuration.relays == ["https://pkarr.pubky.app", "https://pkarr.pubky.org"])
    #expect(configuration.dht?.bootstrap == MainlineConfiguration.publicBootstrap)
    #expect(configuration.dht?.node.mode == .client && configuration.dht?.port == 0)
    #expect(configuration.cacheSize == 1000)
    #expect(configuration.minimumTTL == 300 && configuration.maximumTTL == 86400)
    #expect(configuration.requestTimeout == .seconds(2) && configuration.dht?.node.requestTimeout == .seconds(2))
    #expect(configuration.maximumEndpointDepth == 7)
    #expect(configuration.reportPolicy == .mainnet && !configuration.allowsStale)
  }

  @Test("the bounds of the time to live keep each other in order, the last word wins")
  func bounds() {
    var configuration = PkarrClientConfiguration()
    configuration.minimumTTL = 100_000
    #expect(configuration.maximumTTL == 100_000)
    configuration.maximumTTL = 10
    #expect(configuration.minimumTTL == 10)
  }

  @Test("relays that are added join those that are there, none twice, also if there were none")
  func addedRelays() {
    var configuration = PkarrClientConfiguration()
    configuration.addRelays(["https://a.example", "https://pkarr.pubky.app/"])
    #expect(configuration.relays == ["https://pkarr.pubky.app", "https://pkarr.pubky.org", "https://a.example"])
    configuration.relays = nil
    configuration.addRelays(["https://a.example"])
    #expect(configuration.relays == ["https://a.example"])
  }

  @Test("entrances that are added join those that are there, and others replace them")
  func bootstrap() throws {
    let host = try #require(HostName("dht.example:6881"))
    var configuration = PkarrClientConfiguration()
    configuration.addBootstrap([host, MainlineConfiguration.publicBootstrap[0]])
    #expect(configuration.dht?.bootstrap == MainlineConfiguration.publicBootstrap + [host])
    configuration.setBootstrap([host])
    #expect(configuration.dht?.bootstrap == [host])
  }

  @Test("what is said about the DHT turns it on, with the time that requests have")
  func dht() {
    var configuration = PkarrClientConfiguration.noDefaultNetwork
    #expect(configuration.dht == nil && configuration.relays == nil)
    configuration.requestTimeout = .milliseconds(700)
    configuration.configureDHT { $0.port = 1234 }
    #expect(configuration.dht?.port == 1234 && configuration.dht?.node.requestTimeout == .milliseconds(700))
    configuration.requestTimeout = .milliseconds(800)
    #expect(configuration.dht?.node.requestTimeout == .milliseconds(800))
  }

  @Test("a client needs a network")
  func refusals() async {
    await #expect(throws: PkarrClientBuildError.noNetwork) { try await PkarrClient(.noDefaultNetwork) }
    var empty = PkarrClientConfiguration.noDefaultNetwork
    empty.relays = []
    await #expect(throws: PkarrClientBuildError.emptyListOfRelays) { try await PkarrClient(empty) }
    empty.dht = .isolated()
    await #expect(throws: PkarrClientBuildError.emptyListOfRelays) { try await PkarrClient(empty) }
  }

  @Test("a port that is taken is an error with a name")
  func takenPort() async throws {
    let socket = try UDPSocket(boundTo: .init(.loopbackV4, port: 0))
    var configuration = PkarrClientConfiguration.noDefaultNetwork
    configuration.dht = .isolated()
    configuration.dht?.port = socket.localEndpoint.port
    let error = await #expect(throws: PkarrClientBuildError.self) { try await PkarrClient(configuration) }
    #expect(error?.name == "DhtBuildError")
    #expect(error?.description.split(separator: "\n").count == 3)
    socket.close()
  }

  @Test("relays get the time that requests have, and the DHT node that was given is used and left alone")
  func parts() async throws {
    try await withTestnet(nodes: 3) { testnet in
      var configuration = PkarrClientConfiguration.noDefaultNetwork
      configuration.relays = ["https://a.example"]
      configuration.transport = MemoryTransport()
      configuration.requestTimeout = .seconds(5)
      configuration.sharedNode = testnet.nodes[0]
      let client = try await PkarrClient(configuration)
      #expect(client.relays.map(\.timeout) == [.seconds(5)])
      #expect(client.dht?.node === testnet.nodes[0])
      #expect(await client.dhtInfo()?.localEndpoints == testnet.nodes[0].localEndpoints)
      await client.shutdown()
      #expect(await testnet.nodes[0].info() != nil)
      configuration.sharedNode = nil
      let relaysOnly = try await PkarrClient(configuration)
      #expect(relaysOnly.dht == nil)
      #expect(await relaysOnly.dhtInfo() == nil)
    }
  }

  @Test("warnings reach who wants to hear them")
  func warnings() async throws {
    try await withTestnet(nodes: 3) { testnet in
      let heard = LockedValue<[String]>([])
      var configuration = PkarrClientConfiguration.noDefaultNetwork
      configuration.dht = testnet.configuration
      configuration.onWarning = { _, warning in heard.withLock { $0.append(warning.name) } }
      let client = try await PkarrClient(configuration)
      let report = try await client.publish(try Samples.packet())
      #expect(report.warnings.map(\.name) == ["TooFewNodesStored"])
      let resolution = try await client.resolution(of: Samples.keypair.publicKey, policy: .networkOnly)
      #expect(resolution.report.warnings.first?.name == "TooFewNodesQueried")
      #expect(heard.withLock { $0 } == report.warnings.map(\.name) + resolution.report.warnings.map(\.name))
    }
  }
}
