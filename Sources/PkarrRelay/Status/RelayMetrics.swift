import HTTP
import PlainText
import Republisher

/// What a relay tells Prometheus.
enum RelayMetrics {
  /// The answer to `GET /metrics`.
  static func response(_ status: RelayStatus) -> HTTPResponse {
    HTTPResponse(
      .ok, fields: [.contentType: PrometheusText.contentType, .cacheControl: "no-store"],
      body: .bytes(Array(text(status).utf8)))
  }

  /// All metrics.
  static func text(_ status: RelayStatus) -> String {
    var text = PrometheusText()
    addRequests(status, to: &text)
    addPackets(status, to: &text)
    addCache(status, to: &text)
    addConnections(status, to: &text)
    addLoad(status, to: &text)
    if let node = status.node { addNode(node, to: &text) }
    if let republishing = status.republishing {
      RepublishMetrics.add(republishing, prefix: "pubky_relay_republish", to: &text)
    }
    text.add(
      "pubky_relay_dht_up", .gauge, "1 while the DHT node runs; 0 means that nothing is looked up or published.",
      status.node == nil ? 0 : 1)
    return text.text
  }

  private static func addRequests(_ status: RelayStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_relay_info", .gauge, "The program's version; always 1.", [([("version", status.version)], 1)])
    text.add(
      "pubky_relay_uptime_seconds", .gauge, "Seconds since the start; a value that keeps falling means restarts.",
      status.uptime.fractionalSeconds)
    text.add(
      "pubky_relay_responses_total", .counter,
      "Answers by status; a growing share of 500 and 503 means that the DHT or the disk does not keep up, of 429 that "
        + "clients run into their limits.",
      status.counts.answers.sorted { $0.key < $1.key }.map { ([("status", "\($0.key)")], Double($0.value)) })
    text.add(
      "pubky_relay_limited_total", .counter,
      "What was refused by limit; many of one kind mean a client that asks too much, or a limit that is too low.",
      RelayCounts.Limit.allCases.map { ([("limit", $0.rawValue)], Double(status.counts.refused(by: $0))) })
    text.add(
      "pubky_relay_limited_addresses", .gauge,
      "Addresses that the limit of requests remembers; at rate_limiter.addresses the oldest are forgotten and start "
        + "afresh.", Double(status.load.limitedAddresses))
  }

  private static func addPackets(_ status: RelayStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_relay_packets_total", .counter,
      "Packets answered by where they came from; a large share of dht means that the cache is too small or too short.",
      RelayCounts.Source.allCases.map { ([("source", $0.rawValue)], Double(status.counts.packets(from: $0))) })
    text.add(
      "pubky_relay_failures_total", .counter,
      "Requests for or with a packet that failed, by reason; not_found is normal, no_nodes_queried and timeout mean a bad "
        + "connection to the DHT.",
      status.counts.failures.sorted { $0.key < $1.key }.map { ([("reason", $0.key)], Double($0.value)) })
    text.add(
      "pubky_relay_published_total", .counter, "Packets published; it should grow as clients publish.",
      Double(status.counts.published))
    text.add(
      "pubky_relay_coalesced_total", .counter,
      "Requests that shared the lookup of another one; many at once mean that a key has become popular.",
      Double(status.counts.coalesced))
    text.add(
      "pubky_relay_verifications_total", .counter,
      "Signatures checked by result; many invalid ones mean that somebody sends rubbish.",
      [
        ([("result", "valid")], Double(status.counts.verified &- min(status.counts.verified, status.counts.invalid))),
        ([("result", "invalid")], Double(status.counts.invalid)),
      ])
    text.add(
      "pubky_relay_lookup_seconds", "Duration of lookups in the DHT; more than some seconds mean a bad connection.",
      status.counts.lookups)
    text.add(
      "pubky_relay_publication_seconds",
      "Duration of publications in the DHT; more than some seconds mean a bad connection.", status.counts.publications)
  }

  private static func addCache(_ status: RelayStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_relay_cache_packets", .gauge,
      "Packets in the cache; at its capacity the least used are forgotten.", Double(status.cache.packets))
    text.add(
      "pubky_relay_cache_capacity_packets", .gauge, "How many packets fit into the cache (cache.size); 0 means none.",
      Double(status.cache.capacity))
    text.add(
      "pubky_relay_memory_packets", .gauge,
      "Answers ready in memory; at cache.memory_packets the least used are made again when they are asked for.",
      Double(status.cache.memoryPackets))
    text.add(
      "pubky_relay_oldest_waiting_write_seconds", .gauge,
      "For how long the oldest packet has waited for the disk; more than a second means a disk that does not keep up.",
      status.cache.oldestWaitingWrite?.fractionalSeconds ?? 0)
    text.add(
      "pubky_relay_failed_writes_total", .counter,
      "Packets that could not be written; anything but 0 means a full or broken disk.",
      Double(status.cache.failedWrites))
  }

  private static func addConnections(_ status: RelayStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_relay_connections", .gauge,
      "Connections that are open; at http.connections idle ones are closed for new ones.",
      Double(status.load.connections))
    text.add(
      "pubky_relay_connections_total", .counter,
      "Connections by what became of them; many refused ones mean a limit that is too low or a flood, many timed_out ones "
        + "slow or hostile clients.",
      [
        ([("result", "accepted")], Double(status.connections.accepted)),
        ([("result", "refused")], Double(status.connections.refused)),
        ([("result", "timed_out")], Double(status.connections.timedOut)),
      ])
    text.add(
      "pubky_relay_malformed_requests_total", .counter,
      "Requests that broke the protocol; many mean broken or hostile clients, or a proxy that is set up wrongly.",
      Double(status.connections.malformed))
  }

  private static func addLoad(_ status: RelayStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_relay_lookups", .gauge, "Lookups under way; hundreds for minutes mean that the DHT does not answer.",
      Double(status.load.lookups))
    text.add(
      "pubky_relay_waiting_requests", .gauge, "Requests that wait for a lookup; many mean slow lookups.",
      Double(status.load.waitingRequests))
    text.add(
      "pubky_relay_waiting_verifications", .gauge,
      "Packets whose signature is still to be checked; hundreds mean that the processor does not keep up.",
      Double(status.load.waitingVerifications))
    text.add(
      "pubky_relay_watchers", .gauge, "Clients that follow a key; at http.watchers further ones are refused.",
      Double(status.load.watchers))
  }

  private static func addNode(_ node: RelayStatus.Node, to text: inout PrometheusText) {
    text.add(
      "pubky_relay_dht_nodes", .gauge,
      "Nodes in the routing table by state; no good ones mean that the network cannot be reached.",
      [([("state", "good")], Double(node.goodNodes)), ([("state", "questionable")], Double(node.questionableNodes))])
    text.add(
      "pubky_relay_dht_network_size", .gauge,
      "Estimated number of nodes in the DHT; far below a million means another network than the public one, or lies.",
      node.networkSize)
    text.add(
      "pubky_relay_dht_response_ratio", .gauge,
      "Share of the last 1000 requests that were answered, 0 to 1; below a quarter means a bad connection or a firewall.",
      node.responseRate ?? .nan)
    text.add(
      "pubky_relay_dht_server", .gauge,
      "1 if the node answers others; 0 for hours means that it cannot be reached from outside.", node.isServer ? 1 : 0)
    text.add(
      "pubky_relay_dht_firewalled", .gauge,
      "1 until the node is proven reachable; 1 for hours means that its UDP port is closed.", node.isFirewalled ? 1 : 0)
    text.add(
      "pubky_relay_dht_round_trip_seconds", .gauge, "Typical round trip to a node; above a second means a full line.",
      node.roundTrip.fractionalSeconds)
    text.add(
      "pubky_relay_dht_stored_items", .gauge, "Items kept for others; it should grow once the node is a server.",
      Double(node.storedItems))
    text.add(
      "pubky_relay_dht_queries_total", .counter,
      "Queries of others by result; many dropped ones mean a peer that asks too much, or a limit that is too low.",
      [
        ([("result", "served")], Double(node.queriesServed)), ([("result", "dropped")], Double(node.queriesDropped)),
      ])
    text.add(
      "pubky_relay_dht_requests_total", .counter, "Requests that the node sent; it should grow.",
      Double(node.requestsSent))
    text.add(
      "pubky_relay_dht_timeouts_total", .counter,
      "Requests without an answer; growing as fast as the requests means that UDP does not get through.",
      Double(node.timeouts))
    text.add(
      "pubky_relay_dht_bytes_total", .counter,
      "Bytes on the DHT's sockets by direction; far more out than in means that the node is being used to flood others.",
      [
        ([("direction", "in")], Double(node.bytesReceived)), ([("direction", "out")], Double(node.bytesSent)),
      ])
  }
}
