import Foundation
import Pkarr
import TestSupport
import Testing

/// Programs of others that talk to the relay.
extension RelayStand {
  /// A packet, and a file with its relay payload.
  func packet(_ text: String) throws -> (packet: SignedPacket, file: String) {
    let packet = try SignedPacket(signedBy: Keypair()) { TXT("_interop", text, ttl: 600) }
    let file = folder.appending(path: packet.publicKey.z32)
    try Data(packet.relayPayload).write(to: file)
    return (packet, file.path)
  }

  /// Runs a foreign program to its end.
  func foreign(_ name: String, _ arguments: [String], input: String? = nil) async throws -> ChildProcess.Outcome {
    let path = try #require(ChildProcess.find(name))
    var file: URL?
    if let input {
      let url = folder.appending(path: "input-\(UUID().uuidString)")
      try Data(input.utf8).write(to: url)
      file = url
    }
    return try await ChildProcess(path, arguments, in: folder, input: file).outcome()
  }

  /// What curl was answered.
  struct Answer {
    var status: Int
    /// `1.1`, `2`
    var version: String
    /// By their names in small letters.
    var fields: [String: String]
    var body: [UInt8]
  }

  func curl(_ arguments: String...) async throws -> Answer { try await curl(arguments) }

  func curl(_ arguments: [String]) async throws -> Answer {
    let name = UUID().uuidString
    let outcome = try await foreign(
      "curl",
      ["--silent", "--show-error", "--max-time", "60", "--dump-header", name + ".head", "--output", name + ".body"]
        + ["--write-out", "%{http_code} %{http_version}"] + arguments)
    try #require(outcome.status == 0, "curl \(arguments): \(outcome.errors)")
    let words = outcome.text.split(separator: " ")
    var fields: [String: String] = [:]
    for line in try String(contentsOf: folder.appending(path: name + ".head"), encoding: .utf8).split(whereSeparator: {
      $0.isNewline
    }) {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    let body = (try? Data(contentsOf: folder.appending(path: name + ".body"))) ?? Data()
    return Answer(
      status: Int(words.first ?? "") ?? 0, version: String(words.last ?? ""), fields: fields, body: [UInt8](body))
  }
}
