import HTTP
import PlainText

/// The page for those who run a server: how it is doing, and what became of the last searches for keys.
enum ServerPage {
  static func response(_ status: ServerStatus) -> HTTPResponse {
    LandingPage.page(title: "PKDNS: status", body: body(status))
  }

  private static func body(_ status: ServerStatus) -> String {
    let verdict = status.isReady ? "<p>All names can be resolved.</p>" : "<p class=\"bad\">\(troubles(status))</p>"
    return """
      \(verdict)
      <h2>Server</h2>
      \(table([
        ("version", status.version), ("up", DurationText.describe(.seconds(status.uptime.components.seconds))),
        ("queries", "\(status.sum { counters in (0..<4).reduce(0) { $0 + counters.queries[$1] } })"),
        ("waiting", "\(status.sum(\.queriesInFlight))"), ("connections", "\(status.streams.open)"),
      ]))
      <h2>Caches</h2>
      \(table([
        ("packets of keys", "\(status.sum(\.packets))"), ("keys without a packet", "\(status.sum(\.absentKeys))"),
        ("answers of name servers", "\(status.sum(\.forwardedAnswers))"),
      ]))
      <h2>DHT and relays</h2>
      \(table(network(status.network)))
      <h2>Name servers</h2>
      \(table(status.upstreams.map { ("\($0.server)", upstream($0)) }))
      <h2>Last searches for keys</h2>
      \(searches(status.lookups))
      <footer><a href="/metrics">metrics</a>, <a href="/readyz">readiness</a>; POST /flush?name=NAME forgets a name.</footer>
      """
  }

  private static func troubles(_ status: ServerStatus) -> String {
    var troubles: [String] = []
    if !status.network.isReady { troubles.append("names of keys cannot be resolved: neither DHT nor relays answer") }
    if status.isInOutage { troubles.append("the networks of keys do not answer; old packets are served") }
    if !status.forwards { troubles.append("other names cannot be resolved: no name server answers") }
    return HTMLText.escape(troubles.joined(separator: "; ") + ".")
  }

  private static func network(_ network: KeyNetworkStatus) -> [(String, String)] {
    var rows: [(String, String)] = []
    if network.usesDHT {
      rows.append(("good nodes", "\(network.goodNodes)"))
      rows.append(("nodes of the DHT (estimate)", "\(UInt64(min(max(network.networkSize, 0), 1e15)))"))
      rows.append(("requests answered", network.responseRate.map { "\(Int($0 * 100))%" } ?? "none yet"))
    } else {
      rows.append(("DHT", "off"))
    }
    for relay in network.relays { rows.append(("relay", relay)) }
    if !network.relays.isEmpty {
      rows.append(("answers of relays", "\(network.relayAnswers), and \(network.relayFailures) failures"))
    }
    return rows
  }

  private static func upstream(_ server: UpstreamClient.ServerStatus) -> String {
    if server.isDead { return "does not answer" }
    let time = server.roundTrip.map { "\($0.wholeMilliseconds) ms" } ?? "not asked yet"
    return server.failures > 0 ? "\(time), the last \(server.failures) questions without an answer" : time
  }

  private static func table(_ rows: [(String, String)]) -> String {
    let cells = rows.map { "<tr><th>\(HTMLText.escape($0.0))</th><td>\(HTMLText.escape($0.1))</td></tr>" }
    return "<table>\(cells.joined(separator: "\n"))</table>"
  }

  private static func searches(_ entries: [LookupJournal.Entry]) -> String {
    if entries.isEmpty { return "<p>None yet.</p>" }
    return table(entries.map { ($0.key.z32, "\($0.outcome.text), in \($0.took.wholeMilliseconds) ms") })
  }
}
