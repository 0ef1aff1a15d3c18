import Foundation
import TestSupport
import Testing

/// The program `HostileNetwork`, in a network namespace of its own: nothing of it leaves the machine, and everybody can have
/// a public address, so that all rules about addresses hold.
@Suite("A network in which three of ten nodes lie", .timeLimit(.minutes(10)))
struct HostileNetworkTests {
  /// The program stands beside the tests, as `pubky` does.
  private static let program = URL(filePath: ChildProcess.pubky).deletingLastPathComponent()
    .appending(path: "HostileNetwork").path
  /// Under a sanitizer, where everything takes ten times as long, less is tried.
  private static let records = ProcessInfo.processInfo.environment["SIMULATION_NODES"] == nil ? 120 : 20
  private static let namespace = getuid() == 0 ? ["--net"] : ["--user", "--map-root-user", "--net"]
  private static let addresses = "ip link set lo up && ip route add local 60.0.0.0/6 dev lo"

  private func inFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "hostile-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
  }

  private func run(_ network: String, in folder: URL) async throws -> ChildProcess.Outcome {
    let arguments = [network, "\(Self.records)", "60", "26"]
    guard network == "public" else { return try await ChildProcess(Self.program, arguments, in: folder).outcome() }
    let shell = ["/bin/sh", "-c", "\(Self.addresses) && exec \"$0\" \"$@\"", Self.program]
    return try await ChildProcess("/usr/bin/unshare", Self.namespace + shell + arguments, in: folder).outcome()
  }

  @Test(
    "records are found in their newest version by nodes that have just joined, over lines that lose and delay datagrams"
  )
  func newest() async throws {
    try await inFolder { folder in
      let trial = try ChildProcess("/usr/bin/unshare", Self.namespace + ["/bin/sh", "-c", Self.addresses], in: folder)
      // Where no namespace can be made, as in some containers, everybody is on loopback.
      let network = try await trial.outcome().status == 0 ? "public" : "isolated"
      let outcome = try await run(network, in: folder)
      let expected = "records \(Self.records) newest \(Self.records) older 0 missing 0 unpublished 0 retries "
      #expect(outcome.status == 0 && outcome.text.hasPrefix(expected), "\(outcome.text)\(outcome.errors)")
      // Each record meets liars while it is published, updated and looked up.
      let lies = outcome.text.firstMatch(of: /lies (\d+)/).flatMap { Int($0.1) }
      #expect(lies ?? 0 > 30 * Self.records, "\(outcome.text)")
    }
  }
}
