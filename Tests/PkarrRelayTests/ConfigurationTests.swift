import Addresses
import Configuration
import Foundation
import Logging
import Testing

@testable import PkarrRelay

@Suite("The relay's configuration")
struct RelayConfigurationTests {
  private let limiter = """
    [rate_limiter]
    behind_proxy = false
    quota = "7r/s"
    dht_quota = "11r/s"
    user_dht_quota = "3r/m"

    """

  private func failure(_ text: String) -> String? {
    do throws(ConfigurationError) {
      _ = try RelayConfiguration.parse(text, file: "relay.toml")
      return nil
    } catch {
      return error.description
    }
  }

  @Test("an empty file gives the defaults of other relays")
  func defaults() throws {
    let configuration = try RelayConfiguration.parse("")
    #expect(configuration.http.port == 6881 && configuration.http.host == [.anyV4] && configuration.http.tls == nil)
    #expect(configuration.mainline.port == nil && configuration.mainline.bootstrap == nil)
    #expect(configuration.cache.path == nil && configuration.cache.size == 1_000_000)
    #expect(configuration.cache.minimumTTL == 300 && configuration.cache.maximumTTL == 86_400)
    #expect(configuration.log.level == .info && configuration.log.format == .text)
  }

  @Test("without a file clients are limited, with a file that says nothing of it they are not")
  func trap() throws {
    let none = RelayConfiguration()
    #expect(none.rateLimiter?.behindProxy == false)
    for limit in [none.rateLimiter?.requests, none.rateLimiter?.dhtPeers, none.rateLimiter?.dhtOperations] {
      #expect(limit?.quota.description == "2r/s" && limit?.burst == 2)
    }
    #expect(try RelayConfiguration.parse("").rateLimiter == nil)
    #expect(try RelayConfiguration.parse("[http]\nport = 1").rateLimiter == nil)
  }

  @Test("all keys of other relays mean the same here")
  func otherRelays() throws {
    // The example that comes with the reference.
    let configuration = try RelayConfiguration.parse(
      """
      [http]
      port = 6881
      [mainline]
      port = 6881
      [cache]
      path = "./cache"
      size = 1_000_000
      minimum_ttl =  300
      maximum_ttl =  86400
      [rate_limiter]
      behind_proxy = false
      quota = "2r/s"
      burst = 10
      dht_quota = "2r/s"
      dht_burst = 10
      user_dht_quota = "2r/s"
      user_dht_burst = 10
      """)
    #expect(configuration.mainline.port == 6881 && configuration.cache.path == "./cache")
    let limiter = try #require(configuration.rateLimiter)
    for limit in [limiter.requests, limiter.dhtPeers, limiter.dhtOperations] {
      #expect(limit == (try RequestLimit(RequestQuota(2, per: .second), burst: 10)))
    }
  }

  @Test("each quota has its own burst, as large as its count unless told otherwise")
  func bursts() throws {
    let omitted = try #require(try RelayConfiguration.parse(limiter).rateLimiter)
    #expect([omitted.requests.burst, omitted.dhtPeers.burst, omitted.dhtOperations.burst] == [7, 11, 3])
    let given = try #require(
      try RelayConfiguration.parse(limiter + "burst = 13\ndht_burst = 17\nuser_dht_burst = 5").rateLimiter)
    #expect([given.requests.burst, given.dhtPeers.burst, given.dhtOperations.burst] == [13, 17, 5])
    #expect(given.dhtOperations.quota.description == "3r/m")
  }

  @Test("a mistake is an error that names file, line, key and what to write")
  func mistakes() {
    for (text, message) in [
      ("[http]\nprot = 1", "relay.toml:2:1: http.prot: no such key. Did you mean port?"),
      ("[htpp]\nport = 1", "relay.toml:1:2: htpp: no such key. Did you mean http?"),
      ("[http]\nport = 65536", "relay.toml:2:8: http.port: 65536 is outside of 0…65535"),
      ("[http]\nhost = \"here\"", "relay.toml:2:8: http.host: \"here\" is not an IP address"),
      (
        "[http]\nhost = []",
        "relay.toml:2:8: http.host: the list is empty and there is no unix_socket, so nobody could reach the relay"
      ),
      ("[http]\nidle_timeout = 0", "relay.toml:2:16: http.idle_timeout: 0 s is outside of 1 s…1 h"),
      ("[http]\nconnections = 0", "relay.toml:2:15: http.connections: 0 is outside of 1…1000000"),
      (
        "[http.tls]\ncertificate = \"a\"",
        "relay.toml:2:15: http.tls.certificate: its private key is missing: write key as well"
      ),
      (
        "[http.tls]\nport = 443",
        "relay.toml:1:1: http.tls: nothing to encrypt with: write certificate and key, raw_key, or development = true"
      ),
      (
        "[http.tls]\nport = 6881\nraw_key = \"k\"",
        "relay.toml:1:1: http.tls: its port is also that of [http]; give it another one"
      ),
      (
        "[mainline]\nhost = [\"::\", \"::1\"]", "relay.toml:2:8: mainline.host: one address of each family can be bound"
      ),
      ("[mainline]\nbootstrap = [\"x\"]", "relay.toml:2:13: mainline.bootstrap: \"x\" is not HOST:PORT"),
      ("[mainline]\npublic_ip = \"x\"", "relay.toml:2:13: mainline.public_ip: \"x\" is not an IP address"),
      ("[mainline]\nnetwork = \"own\"", "relay.toml:2:11: mainline.network: \"own\" is none of public, isolated"),
      (
        "[cache]\nminimum_ttl = 60\nmaximum_ttl = 30",
        "relay.toml:2:15: cache.minimum_ttl: minimum_ttl (60) must be less than or equal to maximum_ttl (30)"
      ),
      ("[cache]\nmaximum_ttl = 30", "relay.toml:2:15: cache.maximum_ttl: minimum_ttl (300) must be less than"),
      ("[cache]\nsize = -1", "relay.toml:2:8: cache.size: -1 is outside of 0…1000000000"),
      (limiter + "burst = 0", "relay.toml:6:9: rate_limiter.burst: a burst of 0 lets nothing through; the least is 1"),
      (limiter + "burst = -1", "relay.toml:6:9: rate_limiter.burst: -1 is outside of 0…4294967295"),
      (limiter + "dht_bursts = 1", "relay.toml:6:1: rate_limiter.dht_bursts: no such key. Did you mean dht_burst?"),
      (
        limiter.replacing("7r/s", with: "7/s"),
        "relay.toml:3:9: rate_limiter.quota: \"7/s\" is not a quota; write how many requests in a second, minute"
      ),
      (
        limiter.replacing("11r/s", with: "4294967295r/s"),
        "relay.toml:4:13: rate_limiter.dht_quota: the quota 4294967295r/s is too high"
      ),
      ("[admin]\nlisten = \"9090\"", "relay.toml:2:10: admin.listen: \"9090\" is not ADDRESS:PORT"),
      ("[log]\nlevel = \"loud\"", "relay.toml:2:9: log.level: \"loud\" is none of trace, debug, info"),
    ] {
      #expect(failure(text)?.hasPrefix(message) == true, "\(failure(text) ?? "none")")
    }
  }

  @Test("a table of limits must have its four keys, and the keys of old versions are refused")
  func requiredKeys() {
    for key in ["behind_proxy", "quota", "dht_quota", "user_dht_quota"] {
      let text = limiter.split(separator: "\n").filter { !$0.hasPrefix("\(key) =") }.joined(separator: "\n")
      #expect(failure(text)?.contains("rate_limiter.\(key): this key is required and missing") == true)
    }
    let old = "[rate_limiter]\nbehind_proxy = false\nburst_size = 13\nper_second = 7"
    for (text, message) in [
      (old, "relay.toml:3:14: rate_limiter.burst_size: this is a key of relays before 1.0; burst, dht_burst"),
      (
        limiter + "per_second = 7",
        "relay.toml:6:14: rate_limiter.per_second: this is a key of relays before 1.0; quota"
      ),
      (
        limiter + "burst_size = 7",
        "relay.toml:6:14: rate_limiter.burst_size: this is a key of relays before 1.0; burst"
      ),
    ] {
      #expect(failure(text)?.hasPrefix(message) == true, "\(failure(text) ?? "none")")
    }
    #expect(failure(old.replacing("burst_size = 13", with: ""))?.contains("quota (as in \"2r/s\"), dht_quota") == true)
  }

  @Test("what other relays cannot be told")
  func ownKeys() throws {
    let configuration = try RelayConfiguration.parse(
      """
      [http]
      host = ["127.0.0.1", "::1"]
      unix_socket = "/run/relay.socket"
      threads = 3
      idle_timeout = "2m"
      connections_per_address = 5
      [http.tls]
      port = 8443
      certificate = "/c.pem"
      key = "/k.pem"
      raw_key = "relay.key"
      [mainline]
      host = "192.0.2.1"
      bootstrap = []
      public_ip = ["203.0.113.7", "[2001:db8::1]:7000"]
      request_timeout = 3
      table_file = "table"
      network = "isolated"
      [cache]
      memory_packets = 0
      [admin]
      listen = "127.0.0.1:9090"
      [log]
      level = "debug"
      format = "json"
      """)
    #expect(configuration.http.host.map(\.description) == ["127.0.0.1", "::1"] && configuration.http.threads == 3)
    #expect(configuration.http.idleTimeout == .seconds(120) && configuration.http.connectionsPerAddress == 5)
    #expect(configuration.http.tls?.port == 8443 && configuration.http.tls?.rawKey == "relay.key")
    #expect(configuration.mainline.host == [IPAddress(192, 0, 2, 1)] && configuration.mainline.bootstrap == [])
    #expect(configuration.mainline.publicEndpoints.map(\.description) == ["203.0.113.7:6881", "[2001:db8::1]:7000"])
    // Others are told this port, so it must be had.
    #expect(configuration.mainline.port == 6881 && configuration.mainline.requestTimeout == .seconds(3))
    #expect(configuration.admin.listen?.port == 9090)
    #expect(
      configuration.log
        == {
          var log = RelayConfiguration.LogSettings(); log.level = .debug; log.format = .json; return log
        }())
    let node = configuration.mainline.configuration
    #expect(node.node.network == .isolated && node.node.mode == .server && node.bootstrap.isEmpty)
  }

  @Test("connections of one address are limited only where addresses are clients")
  func connections() throws {
    #expect(try RelayConfiguration.parse(limiter).http.connectionsPerAddress == nil)
    let proxied = limiter.replacing("false", with: "true")
    #expect(try RelayConfiguration.parse(proxied).http.connectionsPerAddress == 0)
    #expect(
      try RelayConfiguration.parse("http.connections_per_address = 3\n" + proxied).http.connectionsPerAddress == 3)
  }

  // MARK: Files

  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = URL(fileURLWithPath: NSTemporaryDirectory()).appending(path: "relay-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.resolvingSymlinksInPath())
  }

  @Test("relative paths belong to the directory of the file, after symbolic links")
  func relativePaths() throws {
    try withFolder { folder in
      let (etc, links) = (folder.appending(path: "etc"), folder.appending(path: "links"))
      for directory in [etc, links, etc.appending(path: "cache")] {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      }
      let file = etc.appending(path: "relay.toml")
      try Data(
        """
        cache.path = "./cache"
        mainline.table_file = "table"
        http.unix_socket = "/run/s"
        http.tls = { certificate = "a/c.pem", key = "k.pem" }
        """.utf8
      ).write(to: file)
      let link = links.appending(path: "link.toml")
      try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
      let configuration = try RelayConfiguration.load(link.path)
      #expect(configuration.cache.path == etc.appending(path: "cache").path)
      #expect(configuration.mainline.tableFile == etc.path + "/table" && configuration.http.unixSocket == "/run/s")
      #expect(configuration.http.tls?.certificate == etc.path + "/a/c.pem")
    }
  }

  @Test("a relative cache directory must exist, an absolute one need not")
  func missingDirectory() throws {
    try withFolder { folder in
      let file = folder.appending(path: "relay.toml")
      try Data("[cache]\npath = \"cache\"\n".utf8).write(to: file)
      #expect {
        try RelayConfiguration.load(file.path)
      } throws: { error in
        "\(error)".hasPrefix("\(file.path):2:8: cache.path: there is no directory \"cache\" beside this file")
      }
      try Data("[cache]\npath = \"\(folder.path)/none\"\n".utf8).write(to: file)
      #expect(try RelayConfiguration.load(file.path).cache.path == folder.path + "/none")
    }
  }

  @Test("the example can be used, shows every key, and the defaults where it says so")
  func example() throws {
    let file = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: "../../examples/relay.toml")
    let text = try String(contentsOf: file, encoding: .utf8)
    var shipped = try RelayConfiguration.parse(text)
    let limit = try RequestLimit(RequestQuota(2, per: .second), burst: 10)
    #expect(shipped.rateLimiter?.requests == limit && shipped.rateLimiter?.dhtOperations == limit)
    #expect(shipped.http == .init() && shipped.mainline.port == 6881)

    // A line that begins with "#" and a key or a table shows what may be written there.
    let all = text.replacing(/(?m)^#(?=[a-z_\[])/, with: "")
    var written = try RelayConfiguration.parse(all)
    #expect(written.http.tls?.port == 6443 && written.admin.listen?.port == 9881)
    #expect(
      written.http.unixSocket != nil && written.mainline.tableFile != nil && !written.mainline.publicEndpoints.isEmpty)
    written.http.tls = nil
    written.http.unixSocket = nil
    written.http.connectionsPerAddress = nil
    written.mainline.tableFile = nil
    written.mainline.publicEndpoints = []
    written.mainline.bootstrap = nil
    #expect(written.republish == .init())
    written.republish = nil
    written.admin = .init()
    shipped.admin = .init()
    #expect(written == shipped)
    #expect(try RelayConfiguration.parse(all).mainline.bootstrap?.count == 4)

    let keys = all.matches(of: /(?m)^([a-z_0-9]+) =/).map { String($0.1) }
    #expect(
      keys.count == 50 && Set(keys).isSuperset(of: ["watch_interval", "raw_key", "table_file", "addresses", "format"]))
  }

  @Test("a file that cannot be read is an error that names it")
  func unreadable() throws {
    try withFolder { folder in
      let file = folder.appending(path: "relay.toml")
      func message() -> String {
        do throws(ConfigurationError) {
          _ = try RelayConfiguration.load(file.path)
          return ""
        } catch {
          return "\(error)"
        }
      }
      #expect(message() == "\(file.path): the file cannot be read: No such file or directory")
      try Data([0x61, 0xff]).write(to: file)
      #expect(message() == "\(file.path): the file is not UTF-8 text")
      try Data(repeating: 0x23, count: 2 << 20).write(to: file)
      #expect(message().contains("larger than 1,048,576 bytes"))
      #expect { try RelayConfiguration.load("a\0b") } throws: { _ in true }
    }
  }
}
