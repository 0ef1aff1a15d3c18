import HTTP
import PlainText

/// The page that people see who open the server's address in a browser.
enum LandingPage {
  /// True if a browser asks for a page.
  static func isWanted(by fields: HTTPFields) -> Bool {
    let best = HTTPAccept.best(of: [HTTPSHandler.mediaType, "text/html"], accept: fields.joined(.accept))
    return best == "text/html"
  }

  /// The page; `path`: where DNS messages are taken.
  static func response(_ request: HTTPRequest, path: String) -> HTTPResponse {
    let scheme = request.context.isEncrypted ? "https" : "http"
    let address = "\(scheme)://\(request.authority ?? "this-server")\(path)"
    return page(
      title: "PKDNS",
      body: """
        <p>This is a DNS server. It answers for ordinary names, and for names that are public keys: their records are signed
        packets that their owners publish on the Mainline DHT (<a href="https://github.com/pubky/pkarr">PKARR</a>).</p>
        <p>To use it, give this address to your browser or system where it asks for DNS over HTTPS:</p>
        <pre>\(HTMLText.escape(address))</pre>
        <p>Then open a name such as <code>http://KEY/</code>. The slash at the end keeps browsers from searching for it.</p>
        <footer>GET \(HTMLText.escape(path))?name=NAME&amp;type=A answers in JSON; GET /pkarr/KEY gives the signed packet of a
        key.</footer>
        """)
  }

  /// A page of one file, with nothing loaded from anywhere.
  static func page(title: String, body: String) -> HTTPResponse {
    let html = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(HTMLText.escape(title))</title>
      <style>
      :root { color-scheme: light dark; }
      body { margin: 0; font: 1rem/1.6 system-ui, sans-serif; }
      main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.25rem; }
      pre, table { overflow-x: auto; font: .9rem/1.6 ui-monospace, monospace; }
      pre { padding: .9rem 1rem; border: 1px solid; border-radius: .4rem; }
      th, td { text-align: left; padding: 0 1rem .2rem 0; vertical-align: top; }
      .bad { font-weight: 600; }
      footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid; font-size: .9rem; }
      </style>
      </head>
      <body>
      <main>
      <h1>\(HTMLText.escape(title))</h1>
      \(body)
      </main>
      </body>
      </html>

      """
    return HTTPResponse(
      .ok,
      fields: [
        .contentType: "text/html; charset=utf-8", .cacheControl: "no-store", .vary: "accept",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        "x-content-type-options": "nosniff",
      ], body: .bytes(Array(html.utf8)))
  }
}
