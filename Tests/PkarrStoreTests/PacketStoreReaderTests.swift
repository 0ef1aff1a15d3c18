import Foundation
import Pkarr
import Testing

@testable import PkarrStore

@Suite("Reading a store without opening it")
struct PacketStoreReaderTests {
  /// Packets of keys that are: the reader looks at them as closely as everybody who did not write the file.
  private func packet(_ number: Int, length: Int = 40) throws -> SignedPacket {
    let keypair = try Keypair(seed: (0..<32).map { UInt8(truncatingIfNeeded: number >> (8 * ($0 % 2))) ^ UInt8($0) })
    return try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: UInt64(number + 1))) {
      TXT("_x", String(repeating: "x", count: length))
    }
  }

  @Test("all packets are read, while another store is open and after it was closed; nothing is changed")
  func reads() async throws {
    let directory = TemporaryDirectory()
    #expect(!PacketStoreReader.hasStore(directory.path))
    let store = try PacketStore(directory: directory.path, capacity: 10_000)
    let packets = try (0..<300).map { try packet($0, length: 10 + $0 * 2) }
    for packet in packets { store.offer(packet) }
    try await store.flush()
    #expect(PacketStoreReader.hasStore(directory.path))
    let open = try PacketStoreReader.packets(of: directory.path, limit: 10_000)
    #expect(open.count == 300 && Set(open.map(\.bytes)) == Set(packets.map(\.bytes)))
    store.close()
    let before = try directory.bytes(directory.packets)
    #expect(try PacketStoreReader.packets(of: directory.path, limit: 10_000).count == 300)
    #expect(try PacketStoreReader.packets(of: directory.path, limit: 7).count == 7)
    #expect(try directory.bytes(directory.packets) == before)
  }

  @Test("an empty store has no packets; what is no store, or none at all, is an error")
  func others() async throws {
    let directory = TemporaryDirectory()
    let store = try PacketStore(directory: directory.path, capacity: 10)
    try await store.flush()
    #expect(try PacketStoreReader.packets(of: directory.path, limit: 10).isEmpty)
    store.close()
    try directory.write([UInt8](repeating: 0x5a, count: 100_000), to: directory.packets)
    #expect(throws: StoreError.self) { try PacketStoreReader.packets(of: directory.path, limit: 10) }
    #expect(throws: StoreError.self) { try PacketStoreReader.packets(of: directory.path + "/nowhere", limit: 10) }
  }

  @Test("damage anywhere is an error or loses packets, and never makes one up")
  func damage() async throws {
    let directory = TemporaryDirectory()
    let store = try PacketStore(directory: directory.path, capacity: 1000)
    for number in 0..<40 { store.offer(try packet(number, length: 200)) }
    try await store.flush()
    store.close()
    let whole = try directory.bytes(directory.packets)
    let packets = Set(try PacketStoreReader.packets(of: directory.path, limit: 1000).map(\.bytes))
    #expect(packets.count == 40)
    var damaged = 0
    for step in 0..<80 {
      var bytes = whole
      let offset = (step * 911) % bytes.count
      bytes[offset] ^= UInt8(truncatingIfNeeded: step) | 1
      if step % 10 == 0 { bytes.removeLast(min(bytes.count, step * 1000)) }
      try directory.write(bytes, to: directory.packets)
      do {
        let found = try PacketStoreReader.packets(of: directory.path, limit: 1000)
        // Outside of the checksum lie `lastSeen`, which is not signed, and pages that nobody uses.
        #expect(found.allSatisfy { packets.contains($0.bytes) })
        if found.count < 40 { damaged += 1 }
      } catch {
        damaged += 1
      }
    }
    // How much of the file is in use depends on how the writer grouped the packets.
    #expect(damaged > 0)
  }
}
