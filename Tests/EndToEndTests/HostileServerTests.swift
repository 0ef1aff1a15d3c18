import Addresses
import EventLoops
import Foundation
import HTTP
import Pkarr
import Testing

@Suite("The command among hostile servers", .serialized, .timeLimit(.minutes(10)))
struct HostileServerTests {
  /// Runs a body with a server of this process that answers as a test wants; `http://127.0.0.1:PORT`.
  private func withServer(_ handler: @escaping HTTPHandler, _ body: (String) async throws -> Void) async throws {
    let loop = try EventLoop(name: "hostile-server")
    try loop.start()
    defer { loop.requestStop() }
    let server = HTTPServer(HTTPServerConfiguration(Endpoint(.loopbackV4, port: 0)), on: [loop], handler: handler)
    try await server.start()
    do {
      try await body("http://\(server.localEndpoints[0])")
    } catch {
      await server.shutdown(grace: .zero)
      throw error
    }
    await server.shutdown(grace: .zero)
  }

  @Test("a version that a relay only claims does not make the owner of a key sign the last one there is")
  func claimedVersion() async throws {
    let puts = LockedValue(0)
    let claimed = LockedValue("\(Int64.max - 1)")
    let lying: HTTPHandler = { request in
      if request.method == .put {
        puts.withLock { $0 += 1 }
        return HTTPResponse(.noContent)
      }
      return HTTPResponse(.notFound, fields: ["pkarr-invalid-signed-packet-seq": claimed.withLock { $0 }])
    }
    try await withServer(lying) { url in
      try await PubkyCommand.inFolder { pubky in
        let (file, _) = try await pubky.newKey()
        let arguments = ["publish", "-", "-k", file, "--relay", url, "--no-dht", "--json"]
        let refused = try await pubky.run(arguments, input: "@ A 192.0.2.1\n")
        #expect(refused.status == 1 && refused.output.isEmpty)
        #expect(try refused.error()["error"] == .text("invalid_packet"))
        #expect(refused.errors.contains("Nothing was signed") && puts.withLock { $0 } == 0)
        claimed.withLock { $0 = "7" }
        let published = try await pubky.run(arguments, input: "@ A 192.0.2.1\n")
        #expect(published.status == 0 && puts.withLock { $0 } == 1, "\(published.errors)")
      }
    }
  }

  @Test("what a server says does not command the terminal, and comes as it is in a pipe and in a file")
  func terminal() async throws {
    let text = "one\u{1b}]0;title\u{7}two\r\nthree\rfour\u{9b}31m\u{e9}\u{7f}\tend"
    try await withServer({ _ in
      HTTPResponse(
        .ok, fields: [.contentType: "text/plain"],
        body: .stream { writer in for byte in text.utf8 { try await writer.write([byte]) } })
    }) {
      url in
      try await PubkyCommand.inFolder { pubky in
        let pipe = try await pubky.run("get", url)
        #expect(pipe.status == 0 && pipe.output == text, "\(pipe.errors)")
        // `script` gives a program a terminal.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        process.arguments = ["-qec", "'\(PubkyCommand.executable.path)' get '\(url)'", "/dev/null"]
        process.environment = pubky.environment.merging(["TERM": "dumb"]) { $1 }
        process.currentDirectoryURL = pubky.folder
        let shown = await (try RunningCommand(process, input: "")).end()
        let expected =
          #"one\u{1b}]0;title\u{7}two"# + "\r\r\n" + #"three\rfour\u{9b}31m"# + "\u{e9}" + #"\u{7f}"# + "\tend"
        #expect(shown.output.contains(expected), "\(shown.output.debugDescription)")
        #expect(!shown.output.contains("\u{1b}]0") && !shown.output.contains("\u{9b}"))
      }
    }
  }
}
