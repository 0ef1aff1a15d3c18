import Foundation
import TestSupport
import Testing

/// systemd-resolved, which most desktops ask for every name.
@Suite("systemd-resolved in front of the DNS server", .timeLimit(.minutes(10)))
struct ResolvedTests {
  private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized

  /// The installed one, or the one that scripts/install-dependencies has unpacked.
  private static let program = ["/lib/systemd", root.appending(path: ".build/foreign/lib/systemd").path]
    .map { $0 + "/systemd-resolved" }.first(where: FileManager.default.isExecutableFile)

  private static var mayMakeNamespaces: Bool {
    guard getuid() == 0 else { return false }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/unshare")
    process.arguments = ["--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/run"]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test(
    "with the drop-in it sends names of keys to the server, and gives its clients what that answers, over UDP and TCP",
    .enabled(if: program != nil && mayMakeNamespaces, "needs root, namespaces, and systemd-resolved"))
  func dropIn() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "resolved-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let dropIn = Self.root.appending(path: "packaging/systemd/pubky-dns.conf").path
    let arguments = [
      Peers.path("resolved_stand.sh"), ChildProcess.pubky, try #require(Self.program), dropIn, folder.path,
    ]
    let outcome = try await ChildProcess("/bin/bash", arguments, in: folder).outcome()
    let errors = (try? String(contentsOf: folder.appending(path: "resolved.errors"), encoding: .utf8)) ?? ""
    let lines = outcome.text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let said = Dictionary(lines.map { ($0[0], Array($0.dropFirst())) }) { first, _ in first }
    let key = try #require(said["key"]?.first, "\(outcome.errors)\n\(errors)")
    #expect(said["udp"] == ["127.0.0.1"], "\(errors)")
    #expect(said["tcp"] == ["\(key).key.", "127.0.0.1"])
    #expect(said["upper"] == ["127.0.0.1"])
    #expect(said["none"] == ["status:", "NXDOMAIN"])
    #expect(said["other"] != ["status:", "NOERROR"])
    let log = try String(contentsOf: folder.appending(path: "dns.errors"), encoding: .utf8)
    #expect(log.contains("name=www.\(key).key type=A"), "it was the server that was asked")
  }
}
