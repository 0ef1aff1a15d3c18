import Addresses
import EventLoops
import Foundation
import MainlineProtocol
import Testing

@testable import Mainline

/// A directory that is removed at the end.
struct TemporaryDirectory: ~Copyable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "mainline-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appending(path: name).path }
}

@Suite("The file of the routing table")
struct TableFileTests {
  static func id(_ byte: UInt8) -> NodeID { NodeID([UInt8](repeating: byte, count: 20))! }

  static let sample = SavedNodes(
    ids: [.ipv4: id(1), .ipv6: id(2)],
    publicEndpoints: [Endpoint("203.0.113.7:6881")!, Endpoint("[2001:db8::1]:6881")!],
    nodes: [
      NodeContact(id: id(0xfe), endpoint: Endpoint("198.51.100.1:1")!),
      NodeContact(id: id(3), endpoint: Endpoint("[2001:db8::2]:65535")!),
    ])

  @Test("what is written is read again, in order")
  func roundTrip() throws {
    let directory = try TemporaryDirectory()
    let file = TableFile(path: directory.path("table"))
    #expect(file.read() == nil)
    try file.write(Self.sample)
    #expect(file.read() == Self.sample)
    try file.write(SavedNodes())
    #expect(file.read() == SavedNodes())
    // Only the file itself is there, and others cannot read it.
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["table"])
    let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test("a failed write leaves the old file and no other")
  func failedWrite() throws {
    let directory = try TemporaryDirectory()
    // A directory cannot be replaced by a file.
    let path = directory.path("table")
    try FileManager.default.createDirectory(atPath: path + "/inside", withIntermediateDirectories: true)
    let error = #expect(throws: SystemError.self) { try TableFile(path: path).write(Self.sample) }
    #expect(error?.operation == "write \(path)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path) == ["table"])
    #expect(throws: SystemError.self) { try TableFile(path: directory.path("none/table")).write(Self.sample) }
  }

  @Test("lines that make no sense are skipped, the others count")
  func defensive() {
    let text = """
      mainline-table 1
      id ipv4 0101010101010101010101010101010101010101
      id ipv5 0101010101010101010101010101010101010101
      id ipv6 01
      public 203.0.113.7:0
      public example:1
      public 203.0.113.7:6881 more
      node fefefefefefefefefefefefefefefefefefefefe 198.51.100.1:1
      node fefefefefefefefefefefefefefefefefefefefe 198.51.100.1:0
      node fefefefefefefefefefefefefefefefefefefefe 198.51.100.1:99999
      node zzfefefefefefefefefefefefefefefefefefefe 198.51.100.1:1
      node fefefefefefefefefefefefefefefefefefefefe
      unknown
       \u{0}
      """
    let saved = TableFile.parse(text)
    #expect(saved?.ids == [.ipv4: Self.id(1)])
    #expect(saved?.publicEndpoints == [])
    #expect(saved?.nodes == [Self.sample.nodes[0]])
  }

  @Test(
    "a file of another kind, or of another version, is none",
    arguments: ["", "\n", "mainline-table 2\n", "{}", "d1:ae"])
  func foreign(text: String) { #expect(TableFile.parse(text) == nil) }

  @Test("random bytes and endless files do no harm")
  func garbage() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("table")
    var random = SystemRandomNumberGenerator()
    for round in 0..<50 {
      var bytes = round.isMultiple(of: 2) ? Array("mainline-table 1\n".utf8) : []
      bytes += (0..<Int.random(in: 0..<2000)).map { _ in UInt8.random(in: 0...255, using: &random) }
      try Data(bytes).write(to: URL(filePath: path))
      let saved = TableFile(path: path).read()
      #expect(saved?.nodes.isEmpty != false)
    }
    let line = "node fefefefefefefefefefefefefefefefefefefefe 198.51.100.1:1\n"
    try Data(("mainline-table 1\n" + String(repeating: line, count: 20_000)).utf8).write(to: URL(filePath: path))
    #expect(TableFile(path: path).read()?.nodes.count == 1000)
    #expect(TableFile(path: directory.url.path).read() == nil)
  }
}
