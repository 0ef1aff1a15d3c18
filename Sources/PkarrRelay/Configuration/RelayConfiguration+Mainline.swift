import Addresses
import Configuration
import EventLoops
import Mainline
import MainlineProtocol

extension RelayConfiguration {
  /// The relay's node of the Mainline DHT.
  public struct MainlineSettings: Hashable, Sendable {
    /// `port`: the UDP port, which must be free; nil: 6881, or any if that is taken.
    public var port: UInt16?
    /// `host`: the addresses to bind, at most one of each family.
    public var host: [IPAddress] = [.anyV4]
    /// `bootstrap`: where to look for the first nodes; nil: the well-known ones. An empty list starts a new network.
    public var bootstrap: [HostName]?
    /// `public_ip`: the addresses, and ports if they are other ones than the bound, under which others reach the node.
    public var publicEndpoints: [Endpoint] = []
    /// `request_timeout`: after which time without an answer a node of the DHT counts as silent.
    public var requestTimeout = Duration.seconds(2)
    /// `table_file`: where the routing table is kept over restarts; nil: nowhere.
    public var tableFile: String?
    /// `network`: whether the public network's rules about addresses hold.
    public var network = NodeConfiguration.Network.public

    /// A node of the public network over IPv4.
    public init() {}
  }
}

extension RelayConfiguration.MainlineSettings: Decodable {
  private enum Key: String, CodingKey {
    case port, host, bootstrap, network
    case publicIP = "public_ip"
    case requestTimeout = "request_timeout"
    case tableFile = "table_file"
  }

  /// Decodes `[mainline]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    port = try values.decodeIfPresent(UInt16.self, forKey: .port)
    host = try values.texts(.host, "an IP address", count: 2) { IPAddress($0) } ?? host
    guard !host.isEmpty, Set(host.map(\.family)).count == host.count else {
      throw values.invalid(.host, "one address of each family can be bound")
    }
    bootstrap = try values.texts(.bootstrap, "HOST:PORT") { HostName($0) }
    let customPort = port ?? MainlineConfiguration.defaultPort
    publicEndpoints =
      try values.texts(.publicIP, "an IP address", count: 2) { text in
        Endpoint(text) ?? IPAddress(text).map { Endpoint($0, port: customPort) }
      } ?? []
    if publicEndpoints.contains(where: { $0.port == 0 }) {
      throw values.invalid(.publicIP, "any port may be taken, so write the public one here: \"203.0.113.7:6881\"")
    }
    // Others will be told this port, so the node must not take another one.
    if !publicEndpoints.isEmpty, port == nil { port = customPort }
    requestTimeout = try values.decode(.requestTimeout, default: requestTimeout, in: .seconds(1)...(.seconds(60)))
    tableFile = try values.decodeIfPresent(String.self, forKey: .tableFile).map(ConfigurationDirectory(decoder).path)
    network = try values.decode(.network, default: network)
  }
}

extension RelayConfiguration.MainlineSettings {
  /// The same for the node itself.
  var configuration: MainlineConfiguration {
    var configuration = MainlineConfiguration()
    configuration.port = port
    configuration.bindAddresses = host
    configuration.bootstrap = bootstrap ?? MainlineConfiguration.publicBootstrap
    configuration.tableFile = tableFile
    configuration.node.publicEndpoints = publicEndpoints
    configuration.node.requestTimeout = requestTimeout
    configuration.node.network = network
    if network == .isolated { configuration.node.mode = .server }
    return configuration
  }
}
