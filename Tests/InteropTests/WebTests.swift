import Foundation
import TestSupport
import Testing

@Suite(
  "pubky get and serve with programs of others", .serialized, .timeLimit(.minutes(10)),
  .enabled(
    if: ["gnutls-serv", "gnutls-cli", "nginx", "openssl"].allSatisfy { ChildProcess.find($0) != nil },
    "needs gnutls-bin, nginx and openssl"))
struct WebTests {
  @Test("gnutls-serv with a raw key is found through the DHT and read, and refused under another key")
  func gnutlsServer() async throws {
    try await WebStand.run { stand in
      let (file, key) = try stand.key("server.key")
      let secret = try stand.write("pkcs8.pem", try await stand.pubky("key", "export", file, "-f", "pkcs8").text)
      let spki = try stand.write("spki.pem", try await stand.pubky("key", "export", file, "-f", "spki").text)
      let data = try stand.write("answer", "raw keys of others")
      let port = try FreePort.take()
      let server = try stand.start(
        "gnutls-serv",
        [
          "--http", "--httpdata", data, "-p", "\(port)", "--rawpkkeyfile", secret, "--rawpkfile", spki, "--priority",
          "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK",
        ])
      defer { server.terminate() }
      try await FreePort.waitForListener(port)
      try await stand.publish("@ HTTPS 1 . port=\(port)\n@ A 127.0.0.1\n", file)
      let page = try await stand.get("https://\(key)/")
      #expect(page.status == 0 && page.text == "raw keys of others", "\(page.errors)")

      let (otherFile, other) = try stand.key("other.key")
      try await stand.publish("@ HTTPS 1 . port=\(port)\n@ A 127.0.0.1\n", otherFile)
      let refused = try await stand.get("https://\(other)/")
      #expect(refused.status == 1 && refused.output.isEmpty)
      #expect(refused.errors.contains("another key than the expected one"), "\(refused.errors)")
    }
  }

  @Test("nginx with an ordinary certificate is the target of a key's record, if its domain is the record's")
  func ordinaryCertificate() async throws {
    try await WebStand.run { stand in
      let (file, key) = try stand.key("my.key")
      let certificate = try await stand.certificate(for: "localhost")
      let port = try FreePort.take()
      let nginx = try stand.nginx(port, certificate)
      defer { nginx.terminate() }
      try await FreePort.waitForListener(port)
      try await stand.publish("@ HTTPS 1 localhost. port=\(port)\n@ A 192.0.2.1\n", file)
      let page = try await stand.get("https://\(key)/", "--cacert", certificate.certificate)
      #expect(page.status == 0 && page.text == "nginx for \(key)", "\(page.errors)")
      let ordinary = try await stand.get("https://localhost:\(port)/", "--cacert", certificate.certificate)
      #expect(ordinary.text == "nginx for localhost")

      // The system's authorities do not know it, and for another domain it is no proof.
      let unknown = try await stand.get("https://\(key)/")
      #expect(unknown.status == 1 && unknown.errors.contains("is not accepted"), "\(unknown.errors)")
      try await stand.publish("@ HTTPS 1 ip6-localhost. port=\(port)\n@ HTTPS 2 127.0.0.1. port=\(port)\n", file)
      let misnamed = try await stand.get("https://\(key)/", "--cacert", certificate.certificate)
      #expect(misnamed.status == 1 && misnamed.errors.contains("it is for localhost"), "\(misnamed.errors)")

      // A key's own record is never content with a certificate.
      try await stand.publish("@ HTTPS 1 . port=\(port)\n@ A 127.0.0.1\n", file)
      let raw = try await stand.get("https://\(key)/", "--cacert", certificate.certificate)
      #expect(raw.status == 1 && raw.output.isEmpty, "\(raw.errors)")

      // The first place is dead, the second one alive; and one key leads to another.
      try await stand.publish("@ HTTPS 1 . port=1\n@ HTTPS 2 localhost. port=\(port)\n@ A 127.0.0.1\n", file)
      let second = try await stand.get("https://\(key)/", "--cacert", certificate.certificate)
      #expect(second.status == 0 && second.text == "nginx for \(key)", "\(second.errors)")
      let (frontFile, front) = try stand.key("front.key")
      try await stand.publish("www HTTPS 1 \(key).\n", frontFile)
      let led = try await stand.get("https://www.\(front)/", "--cacert", certificate.certificate)
      #expect(led.status == 0 && led.text == "nginx for www.\(front)", "\(led.errors)")
    }
  }

  @Test("gnutls-cli reads a site of pubky serve with its raw key, and gets nothing with a certificate")
  func gnutlsClient() async throws {
    try await WebStand.run { stand in
      let (file, key) = try stand.key("my.key")
      try stand.write("public/index.html", "served to others")
      let port = try FreePort.take()
      let site = try ChildProcess(
        ChildProcess.pubky,
        ["serve", stand.file("public"), "-k", file, "-p", "\(port)", "-b", stand.bootstrap], in: stand.folder)
      #expect(try await site.firstLine() == "https://\(key)/")
      try await FreePort.waitForListener(port)
      let request = stand.folder.appending(path: "request")
      try Data("GET / HTTP/1.1\r\nHost: \(key)\r\nConnection: close\r\n\r\n".utf8).write(to: request)
      func ask(_ type: String) async throws -> ChildProcess.Outcome {
        try await ChildProcess(
          try #require(ChildProcess.find("gnutls-cli")),
          [
            "127.0.0.1", "-p", "\(port)", "--insecure", "--alpn", "http/1.1", "--print-cert", "--priority",
            "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-SRV-ALL:+CTYPE-SRV-\(type)",
          ], in: stand.folder, input: request
        ).outcome()
      }
      let raw = try await ask("RAWPK")
      #expect(raw.status == 0 && raw.text.contains("Raw Public Key") && raw.text.contains("EdDSA-Ed25519"))
      #expect(raw.text.contains("HTTP/1.1 200 OK") && raw.text.contains("served to others"), "\(raw.text)")
      let spki = try await stand.pubky("key", "export", file, "-f", "spki").text
      #expect(raw.text.contains(spki.trimmingCharacters(in: .whitespacesAndNewlines)))
      let certificate = try await ask("X509")
      #expect(certificate.status != 0 && !certificate.text.contains("served to others"))
      site.terminate()
      #expect(try await site.outcome().status == 0)
    }
  }
}
