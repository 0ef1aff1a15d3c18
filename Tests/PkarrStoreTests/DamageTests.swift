import Cryptography
import Foundation
import Glibc
import Pkarr
import Testing

@testable import PkarrStore

/// Files that are not what was written.
@Suite("Packet store and damage")
struct DamageTests {
  /// A file in memory.
  final class Bytes: PageSource {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var length: Int { bytes.count }
    func announce(_ count: Int) {}
    func read(_ page: UInt64, into target: UnsafeMutableRawBufferPointer) -> Bool {
      guard page < 1 << 40, (Int(page) + 1) * target.count <= bytes.count else { return false }
      bytes.withUnsafeBytes {
        target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: $0[Int(page) * target.count..<(Int(page) + 1) * target.count]))
      }
      return true
    }
  }

  private static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

  /// A store with trees of two levels, free pages, and a list of them that takes pages of its own.
  private func makeFile(_ directory: TemporaryDirectory, count: Int = 120) async throws -> (
    bytes: [UInt8], state: [UInt8]
  ) {
    let store = try directory.open(capacity: count)
    for key in 0..<2 * count { store.offer(Sample.packet(key, length: 35 + key * 13 % 966)) }
    try await store.flush()
    for key in 0..<count / 3 { store.remove(Sample.key(count + 3 * key)) }
    try await store.flush()
    for key in count..<2 * count { _ = store.packet(for: Sample.key(key)) }
    store.close()
    return (try directory.bytes(directory.packets), try directory.bytes(directory.state))
  }

  private func use(_ directory: TemporaryDirectory, _ note: @autoclosure () -> String) async throws -> Bool {
    let store = try directory.open(capacity: 120)
    for key in 0..<240 {
      // Whatever is found must be what was written: nothing else has its sum.
      if let packet = store.packet(for: Sample.key(key)) {
        #expect(packet.bytes == Sample.packet(key, length: 35 + key * 13 % 966).bytes, "\(note())")
      }
    }
    for key in 600..<650 { store.offer(Sample.packet(key, length: 800)) }
    for key in 120..<150 { store.remove(Sample.key(key)) }
    try await store.flush()
    #expect(store.keys(650).filter { $0 >= 600 }.count == 50, "\(note())")
    let isFresh = store.openedFresh != nil
    store.close()
    #expect(throws: Never.self, "\(note())") { try FileAudit.run(PageFile(directory.packets), pageSize: Self.pageSize) }
    return isFresh
  }

  @Test("every page is in use or free, in a file after much coming and going")
  func nothingLost() async throws {
    let directory = TemporaryDirectory()
    let (bytes, _) = try await makeFile(directory)
    let summary = try FileAudit.run(Bytes(bytes), pageSize: Self.pageSize)
    #expect(summary.count <= 80 && summary.lastStamp > 0 && summary.used <= bytes.count)
  }

  @Test("a damaged page of each kind gives a new store or the packets that are left, never a trap")
  func damagedPages() async throws {
    let directory = TemporaryDirectory()
    let (bytes, state) = try await makeFile(directory)
    let used = try FileAudit.run(Bytes(bytes), pageSize: Self.pageSize).used
    var random = RandomSource(seed: 1)
    var (fresh, passed) = (0, 0)
    for page in 0..<used / Self.pageSize {
      for kind in 0..<3 {
        var damaged = bytes
        let start = page * Self.pageSize
        switch kind {
        // A bit of the header or the table of nodes, a byte anywhere, half of the page.
        case 0: damaged[start + .random(in: 0..<64, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: damaged[start + .random(in: 0..<Self.pageSize, using: &random)] = .random(in: 0...255, using: &random)
        default:
          for offset in Self.pageSize / 2..<Self.pageSize {
            damaged[start + offset] = .random(in: 0...255, using: &random)
          }
        }
        try directory.write(damaged, to: directory.packets)
        try directory.write(state, to: directory.state)
        if try await use(directory, "page \(page), kind \(kind)") { fresh += 1 } else { passed += 1 }
      }
    }
    // How many pages of each kind there are depends on how the writer grouped the packets.
    #expect(fresh > 10 && passed > 10)
  }

  @Test("the audit ends well or with an error for thousands of flipped bits, and repeats itself")
  func audit() async throws {
    let directory = TemporaryDirectory()
    let file = Bytes(try await makeFile(directory).bytes)
    let whole = try FileAudit.run(file, pageSize: Self.pageSize)
    file.bytes.removeLast(file.length - whole.used)
    var random = RandomSource(seed: 2)
    var refused = 0
    for trial in 0..<6000 {
      // Mostly where the structure is: headers, tables of nodes, meta pages, nodes.
      let page = trial % 4 == 0 ? trial / 4 % 2 : .random(in: 0..<whole.used / Self.pageSize, using: &random)
      let offset = page * Self.pageSize + .random(in: 0..<(trial % 3 == 0 ? Self.pageSize : 160), using: &random)
      let bits = UInt8.random(in: 1...255, using: &random)
      file.bytes[offset] ^= bits
      if (try? FileAudit.run(file, pageSize: Self.pageSize)) == nil { refused += 1 }
      file.bytes[offset] ^= bits
    }
    #expect(refused > 100)
    #expect(try FileAudit.run(file, pageSize: Self.pageSize) == whole)
  }

  @Test("a file cut short at any page, or that is something else, is not used")
  func truncated() async throws {
    let directory = TemporaryDirectory()
    let (bytes, state) = try await makeFile(directory)
    let used = try FileAudit.run(Bytes(bytes), pageSize: Self.pageSize).used
    for length in stride(from: 1, to: used, by: Self.pageSize / 2 * 7 + 1) {
      try directory.write(Array(bytes[..<length]), to: directory.packets)
      try directory.write(state, to: directory.state)
      let store = try directory.open()
      switch store.openedFresh {
      case .damaged: #expect(length >= 2 * Self.pageSize / 2)
      case .notOurs: #expect(length < Self.pageSize)
      default: Issue.record("\(length) bytes: \(String(describing: store.openedFresh))")
      }
      store.close()
    }
    // What follows the last page in use is nobody's business.
    try directory.write(
      Array(bytes[..<used]) + Array(repeating: 0xee, count: 3 * Self.pageSize + 1), to: directory.packets)
    try directory.write(state, to: directory.state)
    #expect(try await !use(directory, "bytes behind the end"))
  }

  @Test("a file that is not ours is moved aside")
  func notOurs() async throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
    for text in ["a letter to my grandmother", String(repeating: "long ", count: 10_000)] {
      try directory.write(Array(text.utf8), to: directory.packets)
      let store = try directory.open()
      let aside = directory.packets + ".unreadable"
      #expect(store.openedFresh == .notOurs(movedTo: aside))
      #expect(store.openedFresh?.description.contains(aside) == true)
      #expect(try String(decoding: directory.bytes(aside), as: UTF8.self) == text)
      #expect(try await store.store(Sample.packet(1)) == .stored)
      store.close()
    }
  }

  @Test("a file of another page size, of another version or with other tables begins a new store")
  func otherFormats() async throws {
    let directory = TemporaryDirectory()
    let (bytes, state) = try await makeFile(directory)
    let changes: [(String, (inout [UInt8]) -> Void)] = [
      ("pages", { file in for page in 0..<2 { file[page * Self.pageSize + 16 + 25] = 0x40 } }),
      ("version", { file in for page in 0..<2 { file[page * Self.pageSize + 16 + 4] = 2 } }),
      (
        "tables",
        { file in
          // The name of the second table, wherever it is in use.
          let name = Array("uses".utf8)
          for index in 0..<file.count - 4 where Array(file[index..<index + 4]) == name { file[index] = 0x55 }
        }
      ),
    ]
    for (word, change) in changes {
      var changed = bytes
      change(&changed)
      try directory.write(changed, to: directory.packets)
      try directory.write(state, to: directory.state)
      let store = try directory.open()
      guard case .damaged(let reason)? = store.openedFresh else {
        Issue.record("\(word): \(String(describing: store.openedFresh))")
        continue
      }
      #expect(reason.contains(word))
      store.close()
    }
  }

  @Test("a damaged packet is as good as none, is removed, and can be stored anew")
  func damagedPacket() async throws {
    let directory = TemporaryDirectory()
    var store = try directory.open()
    for key in 0..<10 { store.offer(Sample.packet(key, length: 500, fill: 0x61 + UInt8(key))) }
    store.close()
    var bytes = try directory.bytes(directory.packets)
    // A byte in the text of one packet, wherever copies of it are.
    let run = Array(repeating: UInt8(0x61 + 4), count: 100)
    for index in 0..<bytes.count - 100 where Array(bytes[index..<index + 100]) == run { bytes[index + 50] = 0 }
    try directory.write(bytes, to: directory.packets)
    store = try directory.open()
    #expect(store.openedFresh == nil && store.count == 10)
    #expect(store.packet(for: Sample.key(4)) == nil)
    try await eventually("it is removed") { store.statistics.damagedPackets == 1 }
    #expect(store.count == 9 && store.keys(10) == [0, 1, 2, 3, 5, 6, 7, 8, 9])
    #expect(store.offer(Sample.packet(4)) == .stored)
    try await store.flush()
    #expect(store.count == 10 && store.packet(for: Sample.key(4)) == Sample.packet(4))
    store.close()
  }

  @Test("an offer replaces a damaged packet, whether it is newer or the same one")
  func offerOverDamagedPacket() async throws {
    let directory = TemporaryDirectory()
    var store = try directory.open()
    for key in 0..<4 { store.offer(Sample.packet(key, length: 500, fill: 0x61 + UInt8(key))) }
    store.close()
    var bytes = try directory.bytes(directory.packets)
    for key in [1, 2] {
      let run = Array(repeating: 0x61 + UInt8(key), count: 100)
      for index in 0..<bytes.count - 100 where Array(bytes[index..<index + 100]) == run { bytes[index + 50] = 0 }
    }
    try directory.write(bytes, to: directory.packets)
    store = try directory.open()
    let newer = Sample.packet(1, version: 2, length: 500)
    let same = Sample.packet(2, length: 500, fill: 0x63)
    #expect(store.offer(newer) == .stored && store.offer(same) == .stored)
    try await store.flush()
    #expect(store.packet(for: Sample.key(1)) == newer && store.packet(for: Sample.key(2)) == same && store.count == 4)
    store.close()
  }
}
