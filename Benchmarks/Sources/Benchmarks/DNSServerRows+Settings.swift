import Foundation
import Mainline

/// How the servers under test are set up: alike, with room for all names.
extension DNSServerRows {
  static func ourSettings(_ testnet: Testnet, _ folder: URL) throws -> String {
    let path = folder.path
    let bootstrap = testnet.bootstrap.map { "\"\($0)\"" }.joined(separator: ", ")
    return try write(
      "ours.toml",
      """
      [general]
      socket = "127.0.0.1:5331"
      forward = "127.0.0.1:5399"
      [dns]
      query_rate_limit = 0
      stream_rate_limit = 0
      response_rate_limit = 0
      icann_cache_mb = 100
      [dht]
      network = "isolated"
      bootstrap = [\(bootstrap)]
      relays = []
      dht_query_rate_limit = 0
      [streams]
      connections_per_address = 0
      [tls]
      listen = "127.0.0.1:5332"
      certificate = "\(path)/cert.pem"
      key = "\(path)/key.pem"
      [https]
      listen = "127.0.0.1:5333"

      """, folder)
  }

  /// An unbound that knows an address of each name and nothing else.
  static func upstreamSettings(_ names: [String], port: Int = 5399, _ folder: URL) throws -> String {
    var lines = [
      "server:", "interface: 127.0.0.1@\(port)", "access-control: 127.0.0.0/8 allow", "num-threads: 1",
      "username: \"\"",
      "chroot: \"\"", "pidfile: \"\"", "do-daemonize: no", "use-syslog: no", "verbosity: 0",
      "module-config: \"iterator\"", "directory: \"\(folder.path)\"", "local-zone: \".\" static",
      "rrset-roundrobin: no",
    ]
    for name in names { lines.append("local-data: \"\(name). 86400 IN A 10.1.2.3\"") }
    lines += ["remote-control:", "control-enable: no", ""]
    return try write("upstream.conf", lines.joined(separator: "\n"), folder)
  }

  static func unboundSettings(_ folder: URL) throws -> String {
    let path = folder.path
    return try write(
      "unbound.conf",
      """
      server:
        directory: "\(path)"
        username: ""
        chroot: ""
        pidfile: ""
        do-daemonize: no
        use-syslog: no
        verbosity: 0
        num-threads: 1
        interface: 127.0.0.1@5301
        interface: 127.0.0.1@5302
        interface: 127.0.0.1@5303
        tls-port: 5302
        https-port: 5303
        http-max-streams: 200
        tls-service-key: "\(path)/key.pem"
        tls-service-pem: "\(path)/cert.pem"
        access-control: 127.0.0.0/8 allow
        do-not-query-localhost: no
        do-ip6: no
        module-config: "iterator"
        msg-cache-size: 100m
        rrset-cache-size: 200m
        msg-cache-slabs: 1
        rrset-cache-slabs: 1
        infra-cache-slabs: 1
        incoming-num-tcp: 200
        outgoing-range: 4096
        num-queries-per-thread: 2048
        so-rcvbuf: 4m
        so-sndbuf: 4m
        minimal-responses: yes
        rrset-roundrobin: no
      forward-zone:
        name: "."
        forward-addr: 127.0.0.1@5399
      remote-control:
        control-enable: no

      """, folder)
  }

  static func dnsdistSettings(_ folder: URL) throws -> String {
    let path = folder.path
    return try write(
      "dnsdist.conf",
      """
      setACL({'127.0.0.0/8'})
      setLocal('127.0.0.1:5311')
      addTLSLocal('127.0.0.1:5312', '\(path)/cert.pem', '\(path)/key.pem')
      addDOHLocal('127.0.0.1:5313', '\(path)/cert.pem', '\(path)/key.pem', '/dns-query')
      setSecurityPollSuffix('')
      setVerboseHealthChecks(false)
      newServer({address='127.0.0.1:5399', healthCheckMode='up'})
      getPool(''):setCache(newPacketCache(200000, {maxTTL=86400, minTTL=0, numberOfShards=1, keepStaleData=false}))

      """, folder)
  }

  static func resolverSettings(_ folder: URL) throws -> String {
    let path = folder.path
    return try write(
      "kresd.conf",
      """
      net.ipv6 = false
      net.listen('127.0.0.1', 5321, { kind = 'dns' })
      net.listen('127.0.0.1', 5322, { kind = 'tls' })
      net.listen('127.0.0.1', 5323, { kind = 'doh2' })
      net.tls('\(path)/cert.pem', '\(path)/key.pem')
      for _, name in ipairs({'ta_update', 'ta_signal_query', 'priming', 'detect_time_skew', 'detect_time_jump'}) do
        modules.unload(name)
      end
      trust_anchors.remove('.')
      cache.size = 200 * MB
      policy.add(policy.all(policy.STUB({'127.0.0.1@5399'})))

      """, folder)
  }

  /// Writes a file; its path.
  static func write(_ name: String, _ text: String, _ folder: URL) throws -> String {
    let file = folder.appending(path: name)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return file.path
  }
}
