import Foundation
import Pkarr
import TestSupport
import Testing
import WireFormat

@Suite(
  "The relay and clients of others", .serialized, .timeLimit(.minutes(10)),
  .enabled(
    if: ["curl", "h2load", "gnutls-cli"].allSatisfy { ChildProcess.find($0) != nil },
    "needs curl, h2load and gnutls-cli"))
struct RelayClientTests {
  private static let encryption = "[http.tls]\nport = 0\ndevelopment = true\nraw_key = \"relay.key\""

  @Test("curl puts and gets packets over HTTP/1.1 and HTTP/2, with and without TLS")
  func curlVersions() async throws {
    try await RelayStand.run(tables: "[http.tls]\nport = 0\ndevelopment = true") { stand in
      let trust = ["--cacert", stand.authority]
      for (url, version, options) in [
        ("http://\(stand.plain)", "1.1", ["--http1.1"]), ("http://\(stand.plain)", "2", ["--http2-prior-knowledge"]),
        // The offer to upgrade a connection without TLS is one that a server may leave.
        ("http://\(stand.plain)", "1.1", ["--http2"]), ("https://\(stand.encrypted)", "1.1", ["--http1.1"] + trust),
        ("https://\(stand.encrypted)", "2", ["--http2"] + trust),
      ] {
        let (packet, file) = try stand.packet("\(version) \(options)")
        let target = "\(url)/\(packet.publicKey.z32)"
        for upload in [["--upload-file", file], ["--upload-file", file, "--header", "Expect: 100-continue"]] {
          let put = try await stand.curl(options + upload + [target])
          #expect(put.status == 204 && put.version == version && put.body.isEmpty, "\(options) \(put)")
          #expect(Int(put.fields["pkarr-dht-stored-nodes"] ?? "") ?? 0 >= 1)
        }
        let get = try await stand.curl(options + [target])
        #expect(get.status == 200 && get.version == version && get.body == packet.relayPayload)
        #expect(get.fields["content-type"] == "application/pkarr.org/relays#payload")
        #expect(get.fields["cache-control"] == "public, max-age=600")
        #expect(get.fields["content-length"] == "\(packet.relayPayload.count)")

        let head = try await stand.curl(options + ["--head", target])
        #expect(head.status == 200 && head.version == version)
        #expect(head.fields["content-length"] == "\(packet.relayPayload.count)")
        #expect(
          head.fields["etag"] == get.fields["etag"] && head.fields["last-modified"] == get.fields["last-modified"])

        let tag = try #require(get.fields["etag"])
        let same = try await stand.curl(options + ["--header", "If-None-Match: \(tag)", target])
        #expect(same.status == 304 && same.body.isEmpty && same.fields["etag"] == tag)
        let later = try await stand.curl(options + ["--time-cond", "1 Jan 2100", target])
        #expect(later.status == 304 && later.body.isEmpty)
        let earlier = try await stand.curl(options + ["--time-cond", "1 Jan 2020", target])
        #expect(earlier.status == 200 && earlier.body == packet.relayPayload)
      }
    }
  }

  @Test("curl streams a chunked upload, is refused what is no packet, and several requests share a connection")
  func curlUploads() async throws {
    try await RelayStand.run(tables: "[http.tls]\nport = 0\ndevelopment = true") { stand in
      let (packet, file) = try stand.packet("chunked")
      let target = "http://\(stand.plain)/\(packet.publicKey.z32)"
      for options in [["--http1.1"], ["--http2-prior-knowledge"]] {
        let chunked = try await stand.curl(
          options + ["--request", "PUT", "--header", "Transfer-Encoding: chunked", "--data-binary", "@\(file)", target])
        #expect(chunked.status == 204, "\(options)")
        let broken = try await stand.curl(options + ["--request", "PUT", "--data-binary", "no packet", target])
        #expect(broken.status == 400 && !broken.body.isEmpty)
      }
      // Over HTTP/1.1: of an HTTP/2 stream that is answered and ended while curl 7.88 still sends, it may say no more than
      // that the stream ended (exit 92). What goes over the wire then is tested with the session.
      let large = stand.folder.appending(path: "large")
      try Data(repeating: 7, count: 200_000).write(to: large)
      #expect(try await stand.curl("--http1.1", "--upload-file", large.path, target).status == 413)
      // Over TLS: curl 7.88 cannot use an HTTP/2 connection twice that it began with prior knowledge, not even nginx's.
      for (url, options) in [
        ("http://\(stand.plain)", ["--http1.1"]),
        ("https://\(stand.encrypted)", ["--http2", "--cacert", stand.authority]),
      ] {
        let one = ["--output", "/dev/null", "\(url)/\(packet.publicKey.z32)"]
        let many = try await stand.foreign(
          "curl", ["--silent", "--write-out", "%{num_connects} %{http_code}\n"] + options + one + one + one + one)
        #expect(many.status == 0 && many.text == "1 200\n0 200\n0 200\n0 200\n", "\(options): \(many.text)")
      }
    }
  }

  @Test("gnutls-cli gets a packet from a relay that shows its own key instead of a certificate")
  func rawKey() async throws {
    let keypair = Keypair()
    try await RelayStand.run(
      prepare: { folder in
        try Data(keypair.secretKeyText.utf8).write(to: folder.appending(path: "relay.key"))
      }, tables: Self.encryption
    ) { stand in
      let (packet, file) = try stand.packet("raw key")
      let target = "/\(packet.publicKey.z32)"
      #expect(try await stand.curl("--upload-file", file, "http://\(stand.plain)\(target)").status == 204)
      let port = try #require(stand.encrypted.split(separator: ":").last)
      let outcome = try await stand.foreign(
        "gnutls-cli",
        ["127.0.0.1", "-p", "\(port)", "--insecure", "--alpn", "http/1.1", "--sni-hostname", "relay.example"]
          + ["--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK"]
          + ["--logfile", "gnutls.log"],
        input: "GET \(target) HTTP/1.1\r\nHost: relay\r\nAccept: application/json\r\nConnection: close\r\n\r\n")
      let log = try String(contentsOf: stand.folder.appending(path: "gnutls.log"), encoding: .utf8)
      #expect(outcome.status == 0, "\(outcome.errors) \(log)")
      #expect(log.contains("Raw Public Key"), "\(log)")
      #expect(
        outcome.text.contains("HTTP/1.1 200 OK\r\n") && outcome.text.contains(packet.publicKey.z32), "\(outcome.text)")
      // Without the wish for a raw key the same port shows a certificate.
      let certified = try await stand.curl("--cacert", stand.authority, "https://\(stand.encrypted)\(target)")
      #expect(certified.status == 200 && certified.body == packet.relayPayload)
    }
  }

  @Test("h2load gets 2,000 times the packet, each time with success, over HTTP/2 and HTTP/1.1, with and without TLS")
  func load() async throws {
    try await RelayStand.run(tables: "[http.tls]\nport = 0\ndevelopment = true") { stand in
      let (packet, file) = try stand.packet("load")
      let target = "/\(packet.publicKey.z32)"
      #expect(try await stand.curl("--upload-file", file, "http://\(stand.plain)\(target)").status == 204)
      for (url, options) in [
        ("http://\(stand.plain)", []), ("http://\(stand.plain)", ["--h1"]), ("https://\(stand.encrypted)", []),
        ("https://\(stand.encrypted)", ["--h1"]),
      ] {
        let outcome = try await stand.foreign(
          "h2load", ["-n", "2000", "-c", "10", "-m", "10"] + options + [url + target])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.text.contains("2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(outcome.text)")
        #expect(outcome.text.contains("status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"), "\(outcome.text)")
      }
    }
  }
}
