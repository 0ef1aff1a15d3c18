import HTTP
import PlainText

/// The page at `/`: one file, nothing loaded from anywhere, readable in light and dark and without colours.
enum StatusPage {
  /// The answer to `GET /`.
  static func response(_ status: RelayStatus) -> HTTPResponse {
    HTTPResponse(
      .ok,
      fields: [
        .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
        // Nothing in the page needs more, so nothing that slipped into it could do more.
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        "x-content-type-options": "nosniff",
      ], body: .bytes(Array(html(status).utf8)))
  }

  /// The page.
  static func html(_ status: RelayStatus) -> String {
    let health = RelayHealth(status)
    let verdict =
      switch health.verdict {
      case .ok: "This relay is well."
      case .degraded: "This relay answers, but not as well as it should."
      case .failing: "This relay cannot do its work."
      }
    let reasons =
      health.reasons.isEmpty
      ? "" : "<ul>\n" + health.reasons.map { "<li>\(HTMLText.escape($0))</li>\n" }.joined() + "</ul>\n"
    return head + """
      <p>This server is a <a href="https://github.com/pubky/pkarr/">Pkarr</a>
      <a href="https://github.com/pubky/pkarr/blob/main/design/relays.md">relay</a>: it publishes signed DNS zones on the
      Mainline DHT, and finds them there, for whoever cannot reach the DHT. It holds no account and no secret; what it
      answers is checked with the key that was asked for.</p>
      <p class="\(health.verdict.rawValue)">\(verdict)</p>
      \(reasons)<h2>Version</h2>
      <pre>\(table(version(status)))</pre>
      <h2>Cache</h2>
      <pre>\(table(cache(status.cache)))</pre>
      <h2>DHT</h2>
      <pre>\(table(node(status.node)))</pre>
      <footer>GET /KEY resolves a key, PUT /KEY publishes a packet; <a href="/health">health</a>.</footer>
      </main>
      </body>
      </html>

      """
  }

  private static func version(_ status: RelayStatus) -> [(String, String)] {
    [("version", status.version), ("up", DurationText.describe(status.uptime))]
  }

  private static func cache(_ cache: RelayStatus.Cache) -> [(String, String)] {
    let utilization = cache.capacity > 0 ? 100 * Double(cache.packets) / Double(cache.capacity) : 0
    return [
      ("size", ShortNumber.text(UInt64(clamping: cache.packets))),
      ("capacity", ShortNumber.text(UInt64(clamping: cache.capacity))),
      ("utilization", "\(ShortNumber.decimal(utilization, digits: 2))%"),
    ]
  }

  private static func node(_ node: RelayStatus.Node?) -> [(String, String)] {
    guard let node else { return [("node", "ended")] }
    let size = UInt64(min(max(node.networkSize.isFinite ? node.networkSize.rounded() : 0, 0), 1e15))
    return [
      ("node port", "\(node.port)"),
      ("node firewalled", "\(node.isFirewalled)"),
      (
        "dht size estimate",
        "\(ShortNumber.text(size)) Nodes +/-\(ShortNumber.decimal(node.networkSizeDeviation * 100, digits: 2))%"
      ),
    ]
  }

  private static func table(_ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.utf8.count).max() ?? 0
    return rows.map { name, value in
      HTMLText.escape(name + String(repeating: " ", count: width - name.utf8.count) + " : " + value)
    }.joined(separator: "\n")
  }

  private static let head = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Pkarr Relay</title>
    <style>
    :root { color-scheme: light dark; --ink: #1c1b22; --paper: #fbfaf7; --rule: #d9d5cc; --link: #0b57a4; --good: #23703a;
      --poor: #8a5a00; --bad: #a4201c; }
    @media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #16161a; --rule: #3a3a42; --link: #8ab8f0;
      --good: #7fc98f; --poor: #e0b060; --bad: #f08a80; } }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }
    main { max-width: 38rem; margin: 0 auto; padding: 3rem 1.25rem; }
    h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1rem; }
    h2 { font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; margin: 2rem 0 .5rem; opacity: .7; }
    pre { margin: 0; padding: .9rem 1rem; border: 1px solid var(--rule); border-radius: .4rem; overflow-x: auto;
      font: .9rem/1.6 ui-monospace, monospace; }
    a { color: var(--link); }
    .ok { color: var(--good); } .degraded { color: var(--poor); } .failing { color: var(--bad); }
    .ok, .degraded, .failing { font-weight: 600; }
    footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: .9rem; }
    </style>
    </head>
    <body>
    <main>
    <h1>Pkarr Relay</h1>

    """
}
