import Foundation
import Pkarr
import TestSupport
import Testing

@Suite(
  "The relay behind nginx", .serialized, .timeLimit(.minutes(10)),
  .enabled(if: ["curl", "nginx"].allSatisfy { ChildProcess.find($0) != nil }, "needs nginx and curl"))
struct RelayProxyTests {
  private static let limits = """
    [rate_limiter]
    behind_proxy = true
    quota = "1r/d"
    burst = 4
    dht_quota = "1000r/s"
    user_dht_quota = "1000r/s"
    """

  /// A proxy as the documentation of nginx has it: keeps connections, and says who the client is.
  private func configuration(_ port: Int, _ stand: RelayStand) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "\($0)_temp_path \(stand.folder.path)/nginx-\($0);" }.joined(separator: "\n  ")
    return """
      daemon off;
      worker_processes 1;
      pid \(stand.folder.path)/nginx.pid;
      error_log stderr;
      events { worker_connections 256; }
      http {
        access_log off;
        \(temporary)
        upstream relay { server \(stand.plain); keepalive 8; }
        server {
          listen 127.0.0.1:\(port);
          location / {
            proxy_pass http://relay;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
          }
        }
      }
      """
  }

  @Test("packets go through, and quotas count the client that the proxy names, whatever that client writes")
  func proxy() async throws {
    try await RelayStand.run(tables: Self.limits) { stand in
      let port = try FreePort.take()
      let file = stand.folder.appending(path: "nginx.conf")
      try Data(configuration(port, stand).utf8).write(to: file)
      let path = try #require(ChildProcess.find("nginx"))
      let nginx = try ChildProcess(path, ["-c", file.path, "-p", stand.folder.path], in: stand.folder)
      let (packet, payload) = try stand.packet("proxy")
      let target = "http://127.0.0.1:\(port)/\(packet.publicKey.z32)"
      func ask(_ client: String, _ arguments: String...) async throws -> RelayStand.Answer {
        try await stand.curl(
          ["--interface", client, "--retry", "20", "--retry-delay", "1", "--retry-connrefused"] + arguments + [target])
      }
      let put = try await ask("127.0.0.2", "--upload-file", payload)
      #expect(put.status == 204 && Int(put.fields["pkarr-dht-stored-nodes"] ?? "") ?? 0 >= 1, "\(put)")
      let get = try await ask("127.0.0.2")
      #expect(get.status == 200 && get.body == packet.relayPayload && get.fields["x-ratelimit-remaining"] == "2")
      let head = try await ask("127.0.0.2", "--head")
      #expect(head.status == 200 && head.fields["content-length"] == "\(packet.relayPayload.count)")
      let known = try await ask("127.0.0.2", "--header", "If-None-Match: \(get.fields["etag"] ?? "")")
      #expect(known.status == 304 && known.fields["x-ratelimit-remaining"] == "0")

      // curl would try a 429 again, so from here on without that.
      func once(_ client: String, _ arguments: String...) async throws -> RelayStand.Answer {
        try await stand.curl(["--interface", client] + arguments + [target])
      }
      #expect(try await once("127.0.0.2").status == 429)
      #expect(try await once("127.0.0.2", "--header", "X-Forwarded-For: 203.0.113.9").status == 429)
      #expect(try await once("127.0.0.2", "--header", "X-Real-IP: 203.0.113.9").status == 429)
      for remaining in ["3", "2", "1", "0"] {
        let other = try await once("127.0.0.3")
        #expect(other.status == 200 && other.fields["x-ratelimit-remaining"] == remaining)
      }
      let last = try await once("127.0.0.3")
      #expect(last.status == 429 && Int(last.fields["retry-after"] ?? "") ?? 0 >= 1)
      #expect(nginx.isRunning)
      nginx.terminate()
      #expect(try await nginx.outcome().status == 0)
    }
  }
}
