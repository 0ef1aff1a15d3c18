import DNSResolution
import HTTP
import PlainText
import Republisher

/// What a server tells Prometheus: no names, no addresses of clients.
enum ServerMetrics {
  /// The answer to `GET /metrics`.
  static func response(_ status: ServerStatus) -> HTTPResponse {
    HTTPResponse(
      .ok, fields: [.contentType: PrometheusText.contentType, .cacheControl: "no-store"],
      body: .bytes(Array(text(status).utf8)))
  }

  static func text(_ status: ServerStatus) -> String {
    var text = PrometheusText()
    text.add(
      "pubky_dns_info", .gauge, "Always 1; the label tells the version.", [([("version", status.version)], 1)])
    text.add("pubky_dns_uptime_seconds", .gauge, "Time since the start.", status.uptime.fractionalSeconds)
    addQueries(status, to: &text)
    addCaches(status, to: &text)
    addKeys(status, to: &text)
    addForwarding(status, to: &text)
    addTransports(status, to: &text)
    if let republishing = status.republishing {
      RepublishMetrics.add(republishing, prefix: "pubky_dns_republish", to: &text)
    }
    return text.text
  }

  private static func addQueries(_ status: ServerStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_dns_queries_total", .counter, "Messages of clients by transport.",
      QueryOrigin.Transport.allCases.map { transport in
        ([("transport", "\(transport)")], Double(status.sum { $0.queries[Int(transport.rawValue)] }))
      })
    let names = [0: "noerror", 1: "formerr", 2: "servfail", 3: "nxdomain", 4: "notimp", 5: "refused"]
    let codes = (0...15).map { ($0, names[$0] ?? "\($0)") } + [(16, "badvers"), (23, "badcookie")]
    text.add(
      "pubky_dns_responses_total", .counter,
      "Answers by response code; many servfail mean that name servers or the DHT cannot be reached.",
      codes.map { index, name in ([("code", name)], Double(status.sum { $0.responses[index] })) })
    text.add(
      "pubky_dns_not_queries_total", .counter, "Messages that are no queries; many mean a flood.",
      Double(status.sum(\.notQueries)))
    text.add(
      "pubky_dns_limited_total", .counter,
      "Queries over a limit by what became of them; many mean a flood, or limits that are too low.",
      [
        ([("result", "dropped")], Double(status.sum(\.limitedDrops))),
        ([("result", "truncated")], Double(status.sum(\.limitedSlips))),
        ([("result", "refused")], Double(status.sum(\.refusals))),
      ])
    text.add(
      "pubky_dns_queries_in_flight", .gauge, "Queries that wait for an answer; thousands mean that nobody answers us.",
      Double(status.sum(\.queriesInFlight)))
    text.add(
      "pubky_dns_deadlines_total", .counter, "Queries that were not answered in time.", Double(status.sum(\.deadlines)))
    text.add(
      "pubky_dns_truncated_total", .counter, "Answers that were cut for UDP.", Double(status.sum(\.truncated)))
    text.add(
      "pubky_dns_resolution_seconds", "How long queries took whose answers were not ready.", status.latencies)
  }

  private static func addCaches(_ status: ServerStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_dns_cache_answers_total", .counter,
      "Queries by how the answer was found; stale ones mean that a network does not answer.",
      [
        ([("source", "key_cache")], Double(status.sum(\.keyAnswerHits))),
        ([("source", "forward_cache")], Double(status.sum(\.forwardedAnswerHits))),
        ([("source", "miss")], Double(status.sum(\.misses))),
        ([("source", "joined")], Double(status.sum(\.joined))),
        ([("source", "local")], Double(status.sum(\.localAnswers))),
        ([("source", "stale")], Double(status.sum(\.staleAnswers))),
        ([("source", "failure_cache")], Double(status.sum(\.cachedFailures))),
      ])
    text.add(
      "pubky_dns_cache_entries", .gauge, "What the caches hold.",
      [
        ([("cache", "packets")], Double(status.sum(\.packets))),
        ([("cache", "absent_keys")], Double(status.sum(\.absentKeys))),
        ([("cache", "key_answers")], Double(status.sum(\.keyAnswers))),
        ([("cache", "forwarded_answers")], Double(status.sum(\.forwardedAnswers))),
      ])
    text.add(
      "pubky_dns_cache_bytes", .gauge, "Memory of the caches; at its bound the least used goes.",
      [
        ([("cache", "packets")], Double(status.sum(\.packetBytes))),
        ([("cache", "key_answers")], Double(status.sum(\.keyAnswerBytes))),
        ([("cache", "forwarded_answers")], Double(status.sum(\.forwardedAnswerBytes))),
      ])
    text.add(
      "pubky_dns_prefetches_total", .counter, "Refreshes ahead of time.", Double(status.sum(\.prefetches)))
  }

  private static func addKeys(_ status: ServerStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_dns_key_queries_total", .counter, "Queries for names of keys.", Double(status.sum(\.keyQueries)))
    text.add(
      "pubky_dns_lookups_total", .counter,
      "Searches for packets by result; mostly failed ones mean that neither DHT nor relays can be reached.",
      [
        ([("result", "found")], Double(status.sum(\.lookupsFound))),
        ([("result", "not_found")], Double(status.sum(\.lookupsNotFound))),
        ([("result", "failed")], Double(status.sum(\.lookupsFailed))),
      ])
    text.add(
      "pubky_dns_lookups_in_flight", .gauge, "Searches for packets under way.", Double(status.sum(\.lookupsInFlight)))
    text.add(
      "pubky_dns_outage", .gauge, "1 while the networks of keys seem unreachable; old packets are served then.",
      status.isInOutage ? 1 : 0)
    text.add(
      "pubky_dns_filtered_addresses_total", .counter, "Private addresses taken out of answers for names of keys.",
      Double(status.sum(\.filteredAddresses)))
    let network = status.network
    text.add(
      "pubky_dns_dht_nodes", .gauge, "Good nodes in the routing table; 0 means that the DHT cannot be reached.",
      Double(network.goodNodes))
    text.add(
      "pubky_dns_dht_response_ratio", .gauge,
      "Share of the last 1000 requests that were answered, 0 to 1; below a quarter means a bad connection or a firewall.",
      network.responseRate ?? .nan)
    text.add(
      "pubky_dns_dht_requests_total", .counter, "Requests to nodes of the DHT.", Double(network.requestsSent))
    text.add(
      "pubky_dns_dht_timeouts_total", .counter, "Requests to nodes without an answer.", Double(network.timeouts))
    text.add(
      "pubky_dns_relay_requests_total", .counter, "Requests to relays by result.",
      [
        ([("result", "answered")], Double(network.relayAnswers)),
        ([("result", "failed")], Double(network.relayFailures)),
      ])
  }

  private static func addForwarding(_ status: ServerStatus, to text: inout PrometheusText) {
    let counts = status.forwarding
    text.add(
      "pubky_dns_forwards_total", .counter, "Questions to name servers by result.",
      [
        ([("result", "answered")], Double(counts.answers)), ([("result", "failed")], Double(counts.failures)),
      ])
    text.add(
      "pubky_dns_forward_attempts_total", .counter, "Messages to name servers; far more than questions means losses.",
      Double(counts.attempts))
    text.add(
      "pubky_dns_forward_foreign_messages_total", .counter,
      "Messages from name servers' addresses that answer nothing we asked; many mean that somebody tries to forge answers.",
      Double(counts.foreignMessages))
    text.add(
      "pubky_dns_forwards_in_flight", .gauge, "Questions to name servers under way.", Double(status.forwardsUnderWay))
    text.add(
      "pubky_dns_upstream_round_trip_seconds", .gauge, "Smoothed round trip of each name server.",
      status.upstreams.map { ([("server", "\($0.server)")], $0.roundTrip?.fractionalSeconds ?? .nan) })
    text.add(
      "pubky_dns_upstream_up", .gauge, "0 while a name server is avoided because it does not answer.",
      status.upstreams.map { ([("server", "\($0.server)")], $0.isDead ? 0 : 1) })
  }

  private static func addTransports(_ status: ServerStatus, to text: inout PrometheusText) {
    text.add(
      "pubky_dns_datagrams_total", .counter, "Datagrams; dropped ones mean that the kernel's buffers are full.",
      [
        ([("direction", "received")], Double(status.datagrams.received)),
        ([("direction", "sent")], Double(status.datagrams.sent)),
        ([("direction", "dropped")], Double(status.datagrams.dropped)),
      ])
    text.add(
      "pubky_dns_connections", .gauge, "Open connections over TCP and TLS.", Double(status.streams.open))
    text.add(
      "pubky_dns_connections_total", .counter,
      "Connections over TCP and TLS by what became of them; many refused ones mean a flood or limits that are too low.",
      [
        ([("result", "accepted")], Double(status.streams.accepted)),
        ([("result", "refused")], Double(status.streams.refused)),
        ([("result", "timed_out")], Double(status.streams.timedOut)),
        ([("result", "failed_handshake")], Double(status.streams.failedHandshakes)),
      ])
  }
}
