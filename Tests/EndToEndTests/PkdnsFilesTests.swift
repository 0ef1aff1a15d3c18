import Foundation
import HTTP
import TestSupport
import EventLoops
import Addresses
import Testing

@Suite("Files of pkdns-cli", .serialized, .timeLimit(.minutes(10)))
struct PkdnsFilesTests {
  @Test(
    "seed files in both forms give their keys, and what is no seed is not echoed",
    arguments: [
      ("a3kco17a6mqawd9jewgwijrd64gb1rmrer1zptxgire7buufk3hy", "csjbhp9jpbomwh3m5eyrj1py41m8sjpkzzqmzpj5madsi7sc4mto"),
      (
        "6kfe1u5jyqxg644eqfgk1cp4w9yjzwq51rn11ftysuo6xkpc64by\n", "cb7xxx6wtqr5d6yqudkt47drqswxk57dzy3h7qj3udym5puy9cso"
      ),
      (
        "292bbfb6a5bc1ec3f6d01a7c8e3fac1782d364ca41a1847497e9e3bc949dbb9a\n",
        "8qhdp5s8jjmxmqam3bpg9kzeg7x8teztuwrfgxw5ikn9z5bt15uy"
      ),
    ])
  func seeds(seed: String, key: String) async throws {
    try await PubkyCommand.inFolder { pubky in
      let file = try pubky.write("seed.txt", seed)
      let outcome = try await pubky.run("key", "show", file, "--json")
      #expect(outcome.output.contains("\"key\":\"\(key)\""), "\(outcome.errors)")
      // The last character has four bits too many.
      let spoilt = try pubky.write("spoilt.txt", String(seed.trimmingCharacters(in: .newlines).dropLast()) + "b1")
      let bad = try await pubky.run("key", "show", spoilt)
      #expect(bad.status == 2 && !bad.errors.contains(seed.prefix(20)))
    }
  }

  /// Services that tell addresses, each one of `answers`.
  private func withServices(_ answers: [String], _ body: ([String]) async throws -> Void) async throws {
    let loop = try EventLoop(name: "services")
    try loop.start()
    var router = HTTPRouter()
    for (index, answer) in answers.enumerated() {
      router.on(.get, "/\(index)") { _, _ in .text(answer) }
    }
    let server = HTTPServer(
      HTTPServerConfiguration(Endpoint(.loopbackV4, port: 0)), on: [loop], handler: router.handler)
    try await server.start()
    let base = "http://\(server.localEndpoints[0])"
    try await body(answers.indices.flatMap { ["--address-source", "\(base)/\($0)"] })
    await server.shutdown(grace: .zero)
    await loop.shutdown()
  }

  private static let zone = """
    $TTL 60
    @ IN A {external_ipv4}
    text IN TXT hero=satoshi2

    """

  @Test(
    "a home router tells its address (dyndns2), and that is published; without the password or for other names it is not"
  )
  func router() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("pkarr.zone", Self.zone)
      let password = try pubky.write("password", "correct horse\n")
      try await pubky.withTestnet { bootstrap in
        try await withServices(["93.184.216.34", "93.184.216.34"]) { sources in
          let publish = ["publish", zone, "--key", file, "--bootstrap", bootstrap] + sources
          let alone = try await pubky.run(publish + ["--dyndns", "127.0.0.1:0", "--dyndns-password", password])
          #expect(alone.status == 2 && alone.errors.contains("--every"))
          let port = try FreePort.take()
          let command = try pubky.start(
            publish + ["--every", "1h", "--dyndns", "127.0.0.1:\(port)", "--dyndns-password", password, "--json"])
          defer { command.kill() }
          let url = "http://127.0.0.1:\(port)/nic/update"
          #expect(await command.firstLine { $0.contains("93.184.216.34") } != nil, "the services agree on it")
          func update(_ query: String, user: String = "me:correct horse") async throws -> String {
            let path = try #require(ChildProcess.find("curl"))
            return try await ChildProcess(path, ["-s", "-u", user, "\(url)?\(query)"], in: pubky.folder).outcome().text
          }
          #expect(try await update("hostname=\(key)&myip=93.184.216.99", user: "me:wrong horse!") == "badauth\n")
          #expect(try await update("hostname=\(key)&myip=93.184.216.99", user: "me:") == "badauth\n")
          #expect(try await update("hostname=example.com&myip=93.184.216.99") == "nohost\n")
          #expect(try await update("hostname=\(key)&myip=192.168.1.1") == "dnserr\n")
          #expect(try await update("hostname=\(key)&myip=nonsense") == "dnserr\n")
          #expect(try await update("hostname=www.\(key)&myip=93.184.216.40") == "good 93.184.216.40\n")
          #expect(try await update("hostname=\(key)&myip=93.184.216.40") == "nochg 93.184.216.40\n")
          #expect(await command.firstLine { $0.contains("93.184.216.40") } != nil)
          command.interrupt()
          #expect(await command.end().status == 0)
        }
      }
    }
  }

  @Test("an address that two services agree on is published; one service alone, private addresses and nonsense are not")
  func externalAddress() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("pkarr.zone", Self.zone)
      try await pubky.withTestnet { bootstrap in
        let publish = ["publish", zone, "--key", file, "--bootstrap", bootstrap]
        try await withServices(["93.184.216.34\n", "93.184.216.35", "{\"ip\": \"93.184.216.34\"}"]) { sources in
          let outcome = try await pubky.run(publish + sources)
          #expect(outcome.status == 0, "\(outcome.errors)")
        }
        let found = try await pubky.run("resolve", key, "@", "A", "--bootstrap", bootstrap)
        #expect(found.output.contains("93.184.216.34"))
        for answers in [
          ["93.184.216.34"], ["10.0.0.1", "10.0.0.1"], ["x", "y", ""], ["93.184.216.34", "93.184.216.35"],
        ] {
          try await withServices(answers) { sources in
            let outcome = try await pubky.run(publish + sources + ["--json"])
            #expect(outcome.status == 1)
            #expect(try outcome.error()["error"] == .text("no_address"))
          }
        }
      }
    }
  }
}
