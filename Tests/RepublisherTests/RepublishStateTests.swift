import Cryptography
import EventLoops
import Foundation
import Pkarr
import Testing

@testable import Republisher

@Suite("What a republisher remembers")
struct RepublishStateTests {
  private func sample() throws -> RepublishState {
    var state = RepublishState()
    state.roundStart = Timestamp(microseconds: 1_700_000_000_000_000)
    state.isRoundOpen = true
    for number in 0..<20 {
      let keypair = try RepublishSamples.keypair(number)
      var entry = RepublishState.Entry()
      entry.checked = Timestamp(microseconds: UInt64(number) * 1_000_003)
      entry.failures = number % 3
      if number % 4 == 0 { entry.zoneDigest = SHA1.hash([UInt8(number)]).bytes }
      if number % 2 == 0 {
        entry.packet = try RepublishSamples.packet(keypair, 1_000_000)
        entry.packet?.lastSeen = .zero
      }
      state.entries[keypair.publicKey] = entry
    }
    return state
  }

  private func read(_ bytes: [UInt8]) -> RepublishState? {
    var state = RepublishState(bytes.span.bytes)
    // When a packet was read is not what was written.
    for key in state?.entries.keys.map({ $0 }) ?? [] { state?.entries[key]?.packet?.lastSeen = .zero }
    return state
  }

  @Test("what was written is read")
  func roundTrip() throws {
    let state = try sample()
    #expect(read(state.encoded()) == state)
    #expect(read(RepublishState().encoded()) == RepublishState())
  }

  @Test("a file that is something else is no state, and one that is cut short loses only what is missing")
  func cut() throws {
    for text in ["", "\n", "pubky-republish 2\nend\n", "mainline-table 1\n", "\u{0}\u{ff}"] {
      #expect(read(Array(text.utf8)) == nil)
    }
    let state = try sample()
    let bytes = state.encoded()
    for length in stride(from: 20, to: bytes.count, by: 37) {
      let part = try #require(read(Array(bytes.prefix(length))))
      #expect(part.damagedLines > 0 && part.entries.count <= 20)
      for (key, entry) in part.entries {
        // A number at the end may have lost digits, which makes the key due earlier and does no other harm.
        #expect(entry.packet == nil || entry.packet == state.entries[key]?.packet)
      }
    }
  }

  @Test(
    "lines that cannot be read are left out",
    arguments: [
      "key", "key 1 2 3 4 5", "round x open", "round 5 shut", "rubbish", "key \u{0} 1 0 - -",
      "key 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo -1 0 - -",
      "key 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo 1 99999999999 - -",
      "key 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo 1 0 abcd -",
      "key 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo 1 0 - abcd",
      "key 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo 1 0 - -  ",
    ])
  func damage(line: String) throws {
    let state = try #require(read(Array("pubky-republish 1\n\(line)\nend\n".utf8)))
    #expect(state.entries.isEmpty && state.damagedLines == 1)
  }

  @Test("a packet of another key, or one that was not signed so, is not believed")
  func forged() throws {
    let keypair = try RepublishSamples.keypair(1)
    let packet = try RepublishSamples.packet(keypair, 7)
    let other = try RepublishSamples.keypair(2).publicKey
    var forged = packet.bytes
    forged[forged.count - 1] ^= 1
    for (key, bytes) in [(other, packet.bytes), (keypair.publicKey, forged)] {
      let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      let state = try #require(read(Array("pubky-republish 1\nkey \(key.z32) 1 0 - \(hex)\nend\n".utf8)))
      #expect(state.entries.isEmpty && state.damagedLines == 1)
    }
  }

  @Test("a clock that has jumped makes a key due, and a round new")
  func clockJumps() throws {
    var state = RepublishState()
    var entry = RepublishState.Entry()
    entry.checked = Timestamp(microseconds: 5_000_000)
    #expect(state.age(of: entry, at: Timestamp(microseconds: 7_000_000)) == .seconds(2))
    #expect(state.age(of: entry, at: Timestamp(microseconds: 4_999_999)) == nil)
    #expect(state.age(of: RepublishState.Entry(), at: Timestamp(microseconds: 7_000_000)) == nil)
    #expect(state.age(of: entry, at: Timestamp(microseconds: .max)) != nil)
    state.roundStart = Timestamp(microseconds: 5_000_000)
    let later = Timestamp(microseconds: 6_000_000)
    #expect(!state.continuesRound(at: later, interval: .seconds(60)))
    state.isRoundOpen = true
    #expect(state.continuesRound(at: later, interval: .seconds(60)))
    #expect(!state.continuesRound(at: later, interval: .seconds(1)))
    #expect(!state.continuesRound(at: Timestamp(microseconds: 4_000_000), interval: .seconds(60)))
  }

  @Test("the file is replaced as a whole, for its owner alone; what is no state is never written over")
  func file() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "republish-state-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = RepublishStateFile(folder.appending(path: "state").path)
    #expect(try file.read() == RepublishState())
    let state = try sample()
    try file.write(state)
    try file.write(state)
    #expect(try file.read().entries.count == 20)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["state"])
    let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    try Data("my poems".utf8).write(to: URL(filePath: file.path))
    #expect(throws: SystemError.self) { _ = try file.read() }
    #expect(throws: SystemError.self) { _ = try RepublishStateFile(folder.path).read() }
    #expect(throws: SystemError.self) { try RepublishStateFile("/proc/nowhere/state").write(state) }
  }
}

@Suite("Sources of a republisher")
struct RepublishSourceTests {
  private let key = "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo"

  @Test("a list of keys: any form of a key, comments, each key once; what is no key is told with its line")
  func keyList() throws {
    let other = try RepublishSamples.keypair(3).publicKey
    let text = "# mine\n\(key)\r\n  pk:\(key)  # again\n\nrubbish\nhttps://www.\(other.z32)/path\n\u{0}\n"
    let list = KeyListText(Array(text.utf8).span.bytes, limit: 10)
    #expect(list.keys.map(\.z32) == [key, other.z32])
    #expect(list.flaws.map(\.line) == [5] && list.flawCount == 1 && !list.isCut)
    let cut = KeyListText(Array(text.utf8).span.bytes, limit: 1)
    #expect(cut.keys.count == 1 && cut.isCut)
    let junk =
      [UInt8](repeating: 0xff, count: 5000) + Array("\n\(key)\n".utf8) + (0..<100).flatMap { _ in Array("x\n".utf8) }
    let flawed = KeyListText(junk.span.bytes, limit: 10)
    #expect(flawed.keys.count == 1 && flawed.flawCount == 101 && flawed.flaws.count == KeyListText.flawLimit)
  }

  @Test("a packet is read in each form in which packets are kept")
  func packetForms() throws {
    let keypair = try RepublishSamples.keypair(4)
    let packet = try RepublishSamples.packet(keypair, 77)
    let name = keypair.publicKey.z32
    func hex(_ bytes: [UInt8]) -> [UInt8] {
      Array(bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined().utf8)
    }
    for (form, name) in [
      (packet.bytes, "x"), (packet.cachedForm, "x"), (packet.relayPayload, name), (packet.relayPayload, name + ".bin"),
      (hex(packet.bytes), "x"), (hex(packet.bytes) + [0x0a], "x"), (hex(packet.relayPayload), name),
    ] {
      #expect(PacketFileForm.packet(form, named: name)?.isSame(as: packet) == true)
    }
  }

  @Test("what is no packet, or not signed so, is none")
  func notPackets() throws {
    let packet = try RepublishSamples.packet(try RepublishSamples.keypair(4), 77)
    for index in packet.bytes.indices {
      var bytes = packet.bytes
      bytes[index] ^= 0x40
      #expect(PacketFileForm.packet(bytes, named: "x") == nil)
    }
    for length in 0..<packet.bytes.count {
      #expect(PacketFileForm.packet(Array(packet.bytes.prefix(length)), named: "x") == nil)
    }
    #expect(PacketFileForm.packet(packet.relayPayload, named: try RepublishSamples.keypair(5).publicKey.z32) == nil)
    #expect(PacketFileForm.packet([UInt8](repeating: 0, count: 5000), named: "x") == nil)
  }
}
