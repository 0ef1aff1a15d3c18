import Addresses
import Configuration
import EventLoops
import Mainline
import MainlineProtocol

/// What `dht node` reads from a file (TOML): every key has a default, and a wrong one stops the start.
///
///     port = 6881
///     bind = ["0.0.0.0", "::"]
///     bootstrap = ["router.bittorrent.com:6881"]
///     mode = "adaptive"                # client, server or adaptive
///     network = "public"               # public or isolated
///     public_endpoints = ["203.0.113.7:6881"]
///     table_file = "/var/lib/pubky/table"
///     request_timeout = "2s"
///
///     [storage]
///     mutable_items = 10000
///     immutable_items = 1000
///     info_hashes = 2000
///     peers_per_info_hash = 500
struct NodeSettings: Decodable {
  var port: UInt16?
  var bind: [IPAddress]
  var bootstrap: [HostName]?
  var mode: NodeConfiguration.Mode
  var network: NodeConfiguration.Network
  var publicEndpoints: [Endpoint]
  var tableFile: String?
  var requestTimeout: Duration
  var storage: Storage

  struct Storage: Decodable {
    var limits = StorageLimits()

    private enum Key: String, CodingKey {
      case mutableItems = "mutable_items"
      case immutableItems = "immutable_items"
      case infoHashes = "info_hashes"
      case peersPerInfoHash = "peers_per_info_hash"
    }

    init() {}

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Key.self)
      limits.mutableItems = try values.decode(.mutableItems, default: limits.mutableItems, in: 0...10_000_000)
      limits.immutableItems = try values.decode(.immutableItems, default: limits.immutableItems, in: 0...10_000_000)
      limits.infoHashes = try values.decode(.infoHashes, default: limits.infoHashes, in: 0...10_000_000)
      limits.peersPerInfoHash = try values.decode(
        .peersPerInfoHash, default: limits.peersPerInfoHash, in: 0...100_000)
    }
  }

  private enum Key: String, CodingKey {
    case port, bind, bootstrap, mode, network, storage
    case publicEndpoints = "public_endpoints"
    case tableFile = "table_file"
    case requestTimeout = "request_timeout"
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    func texts<Value>(_ key: Key, _ what: String, _ read: (String) -> Value?) throws -> [Value]? {
      try values.decodeIfPresent([String].self, forKey: key)?.map { text in
        guard let value = read(text) else { throw values.invalid(key, "\"\(text)\" is not \(what)") }
        return value
      }
    }
    port = try values.contains(.port) ? values.decode(.port, default: 6881, in: 1...65535) : nil
    bind = try texts(.bind, "an IP address", { IPAddress($0) }) ?? [.anyV4]
    guard Set(bind.map(\.family)).count == bind.count, !bind.isEmpty else {
      throw values.invalid(.bind, "one address of each family can be bound")
    }
    bootstrap = try texts(.bootstrap, "HOST:PORT", { HostName($0) })
    mode = try values.decode(.mode, default: .adaptive)
    network = try values.decode(.network, default: .public)
    publicEndpoints = try texts(.publicEndpoints, "ADDRESS:PORT", { Endpoint($0) }) ?? []
    tableFile = try values.decodeIfPresent(String.self, forKey: .tableFile)
    requestTimeout = try values.decode(
      .requestTimeout, default: .seconds(2), in: .seconds(1)...(.seconds(60)))
    storage = try values.decode(.storage, default: Storage())
  }

  /// The configuration of a node.
  var configuration: MainlineConfiguration {
    var configuration = MainlineConfiguration()
    configuration.port = port
    configuration.bindAddresses = bind
    configuration.bootstrap = bootstrap ?? MainlineConfiguration.publicBootstrap
    configuration.tableFile = tableFile
    configuration.node.mode = mode
    configuration.node.network = network
    configuration.node.publicEndpoints = publicEndpoints
    configuration.node.requestTimeout = requestTimeout
    configuration.node.storage = storage.limits
    return configuration
  }
}
