import Cryptography
import HTTP
import PlainText

/// A profile that makes Apple's systems use a server (Apple Device Management, payload `com.apple.dnsSettings.managed`).
enum AppleProfile {
  /// The answer to a request; `host` and port are those that the client used.
  static func response(_ request: HTTPRequest, path: String) -> HTTPResponse {
    guard request.context.isEncrypted, let authority = request.authority else {
      return .text("The profile is for encrypted connections: open this page with https.", status: .notFound)
    }
    return HTTPResponse(
      .ok,
      fields: [
        .contentType: "application/x-apple-aspen-config", .cacheControl: "no-store",
        "content-disposition": "attachment; filename=\"dns.mobileconfig\"",
      ], body: .bytes(Array(text(authority: authority, path: path).utf8)))
  }

  static func text(authority: String, path: String) -> String {
    let url = HTMLText.escape("https://\(authority)\(path)")
    let name = HTMLText.escape(authority)
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
      <plist version="1.0">
      <dict>
        <key>PayloadContent</key>
        <array>
          <dict>
            <key>DNSSettings</key>
            <dict>
              <key>DNSProtocol</key>
              <string>HTTPS</string>
              <key>ServerURL</key>
              <string>\(url)</string>
            </dict>
            <key>PayloadDisplayName</key>
            <string>DNS of \(name)</string>
            <key>PayloadIdentifier</key>
            <string>org.pkarr.dns.settings.\(identifier(url + "settings"))</string>
            <key>PayloadType</key>
            <string>com.apple.dnsSettings.managed</string>
            <key>PayloadUUID</key>
            <string>\(identifier(url + "settings"))</string>
            <key>PayloadVersion</key>
            <integer>1</integer>
          </dict>
        </array>
        <key>PayloadDescription</key>
        <string>Sends DNS queries, encrypted, to \(name), which knows names of keys.</string>
        <key>PayloadDisplayName</key>
        <string>DNS of \(name)</string>
        <key>PayloadIdentifier</key>
        <string>org.pkarr.dns.\(identifier(url))</string>
        <key>PayloadType</key>
        <string>Configuration</string>
        <key>PayloadUUID</key>
        <string>\(identifier(url))</string>
        <key>PayloadVersion</key>
        <integer>1</integer>
      </dict>
      </plist>

      """
  }

  /// A UUID (RFC 9562 §5.8) that is always the same for a text, so that a newer profile takes the place of an older one.
  private static func identifier(_ text: String) -> String {
    var bytes = Array(SHA256.hash(Array(text.utf8)).prefix(16))
    bytes[6] = bytes[6] & 0x0f | 0x80
    bytes[8] = bytes[8] & 0x3f | 0x80
    let digits = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
    return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(separator: "-").uppercased()
  }
}
