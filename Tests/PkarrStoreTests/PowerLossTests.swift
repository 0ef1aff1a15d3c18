import Foundation
import Pkarr
import Testing

@testable import PkarrStore

/// What the store makes of the system's death, of which another name of the boot tells.
@Suite("Packet store and loss of power")
struct PowerLossTests {
  /// A file that names the boot.
  private func boot(_ name: String, in directory: TemporaryDirectory) throws -> String {
    try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
    let path = directory.path + "/boot"
    try directory.write(Array((name + "\n").utf8), to: path)
    return path
  }

  /// Copies the files of a store that is open, which is what the death of its process would leave.
  private func copy(_ directory: TemporaryDirectory) throws -> TemporaryDirectory {
    let copy = TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: copy.path, withIntermediateDirectories: true)
    for name in ["/packets.mdb", "/packets.state"] {
      try copy.write(try directory.bytes(directory.path + name), to: copy.path + name)
    }
    return copy
  }

  private func state(_ directory: TemporaryDirectory) throws -> String {
    String(decoding: try directory.bytes(directory.state), as: UTF8.self)
  }

  @Test("after another boot a store that was not closed begins anew; one that was goes on")
  func otherBoot() async throws {
    let directory = TemporaryDirectory()
    let first = try boot("first-boot", in: directory)
    let store = try directory.open(boot: first) { $0.quietTime = .seconds(3600) }
    for key in 0..<20 { store.offer(Sample.packet(key)) }
    try await store.flush()
    #expect(try state(directory).hasPrefix("pkarr-store 1\nopen first-boot "))
    let (killed, lost, nameless) = (try copy(directory), try copy(directory), try copy(directory))
    store.close()
    #expect(try state(directory).hasPrefix("pkarr-store 1\nclean "))

    let sameBoot = try killed.open(boot: first)
    #expect(sameBoot.openedFresh == nil && sameBoot.keys(20).count == 20)
    sameBoot.close()

    let second = try boot("second-boot", in: directory)
    let afterLoss = try lost.open(boot: second)
    #expect(afterLoss.openedFresh == .afterUncleanPowerLoss && afterLoss.count == 0)
    #expect(afterLoss.openedFresh?.description.contains("system stopped") == true)
    #expect(try await afterLoss.store(Sample.packet(1)) == .stored)
    afterLoss.close()
    let onceMore = try lost.open(boot: first)
    #expect(onceMore.openedFresh == nil && onceMore.count == 1)
    onceMore.close()

    let closed = try directory.open(boot: second)
    #expect(closed.openedFresh == nil && closed.count == 20)
    closed.close()

    // Where the boot has no name, nothing that was not closed can be relied on.
    let unknown = try nameless.open(boot: directory.path + "/none")
    #expect(unknown.openedFresh == .afterUncleanPowerLoss)
    #expect(try state(nameless).hasPrefix("pkarr-store 1\nopen "))
    unknown.close()
  }

  @Test("a quiet store says that the disk has everything, and takes it back before it writes again")
  func quiet() async throws {
    let directory = TemporaryDirectory()
    let first = try boot("first-boot", in: directory)
    let store = try directory.open(boot: first) { $0.quietTime = .milliseconds(1) }
    for version in 1...3 as ClosedRange<UInt64> {
      _ = try await store.store(Sample.packet(1, version: version))
      try await eventually("the store is quiet") { try state(directory).contains("clean") }
      let lost = try copy(directory)
      let reopened = try lost.open(boot: try boot("boot \(version)", in: directory))
      #expect(reopened.openedFresh == nil && reopened.versions(2) == [nil, version])
      reopened.close()
    }
    store.close()
    let busy = try directory.open(boot: first) { $0.quietTime = .seconds(3600) }
    _ = try await busy.store(Sample.packet(2))
    #expect(try state(directory).contains("open"))
    busy.close()
  }

  @Test(
    "a state file that says nothing that can be believed begins a new store",
    arguments: [
      "", "pkarr-store 2\nclean", "pkarr-store 1\n", "pkarr-store 1\nclean and more", "open", "\u{0}\u{0}\u{0}",
    ])
  func unreadableState(text: String) throws {
    let directory = TemporaryDirectory()
    var store = try directory.open()
    store.offer(Sample.packet(1))
    store.close()
    try directory.write(Array(text.utf8), to: directory.state)
    store = try directory.open()
    guard case .damaged(let reason)? = store.openedFresh else {
      Issue.record("\(String(describing: store.openedFresh))")
      return
    }
    #expect(reason.contains("packets.state") && store.count == 0)
    store.close()
    try directory.open().close()
  }
}
