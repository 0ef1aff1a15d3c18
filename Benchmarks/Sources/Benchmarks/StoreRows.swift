import CPeers
import Cryptography
import Foundation
import Pkarr
import PkarrStore

/// The packet store against a C program that makes the same calls of LMDB.
enum StoreRows {
  /// Packets in both files, all of the largest size.
  private static let count = 100_000
  /// Packets of one measured round.
  private static let round = 2560
  private static let batch = 256
  private static let valueLength = 12 + 8 + 1104

  /// Packets whose signature nobody checks here, and the same as values and keys for C.
  private final class Packets {
    let points: [[UInt8]]
    let keys: [CacheKey]
    let keyBytes: [UInt8]
    private let message: [UInt8]

    init(_ count: Int) {
      var random = RandomSource(seed: 1)
      points = (0..<count).map { _ in
        while true {
          let bytes = random.bytes(32)
          if (try? PublicKey(bytes)) != nil { return bytes }
        }
      }
      keys = points.map { SHA1.hash($0) }
      keyBytes = keys.flatMap(\.bytes)
      var message: [UInt8] = [0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 16, 0, 1, 0, 0, 0, 60, 3, 209]
      var left = 977
      while left > 0 {
        message += [UInt8(min(left, 256) - 1)] + Array(repeating: 0x61, count: min(left, 256) - 1)
        left -= min(left, 256)
      }
      self.message = message
    }

    func form(_ index: Int, version: UInt64) -> [UInt8] {
      Timestamp(microseconds: 1).bytes + points[index] + Array(repeating: 7, count: 64)
        + Timestamp(microseconds: version).bytes + message
    }

    func packet(_ index: Int, version: UInt64) -> SignedPacket {
      guard let packet = try? SignedPacket(cachedForm: form(index, version: version)) else { fatalError("no packet") }
      return packet
    }
  }

  static func rows() async throws -> [Row] {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "pubky-bench-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // As a relay on one core: what offers and what writes share it, and the caches of its processor.
    _ = pin_all_threads_to_core(0)
    defer { _ = unpin_all_threads() }
    let packets = Packets(count + count / 2)
    let files = Files(folder: folder)
    var (store, peer) = try files.open()
    let filling = try await Writing(store, peer, packets).write(Array(0..<count), version: 1)
    // Opened anew, neither has a page of its file mapped. Then both exchange all their packets again and again, until the
    // store's file has not grown for two turns and nearly all pages are mapped: a store grows in its youth only, and each
    // time is mapped anew. In the end the packets are those from before, and their older half is the older one.
    store.close()
    lmdb_peer_close(peer)
    (store, peer) = try files.open()
    defer { lmdb_peer_close(peer) }
    let writing = Writing(store, peer, packets)
    var random = RandomSource(seed: 3)
    let order =
      Array(count..<count * 3 / 2) + (0..<count / 2).shuffled(using: &random)
      + (count / 2..<count).shuffled(using: &random)
    var (version, quietTurns): (UInt64, Int) = (2, 0)
    while quietTurns < 2, version < 12 {
      let size = store.statistics.bytesOnDisk
      _ = try await writing.write(order, version: version)
      quietTurns = store.statistics.bytesOnDisk == size ? quietTurns + 1 : 0
      version += 1
    }
    var rows = [
      Row(
        name: "fill an empty store with \(count) packets", measured: mean(filling.map(\.0)), unit: "ns",
        peer: ("C loop on LMDB", mean(filling.map(\.1)))),
      try await writing.row("write 2560 new packets, full store, 256 a batch", from: count),
      try await writing.row("write 2560 newer packets, 256 a batch", from: 0),
    ]
    rows += try reading(store, peer, packets)
    rows.append(readingFromMemory(packets))
    store.close()
    return rows
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

  /// The files of both.
  private struct Files {
    let folder: URL

    func open() throws -> (PacketStore, OpaquePointer) {
      var configuration = PacketStore.Configuration()
      // Neither side lets pages go in the middle of a round.
      configuration.mappedMemoryLimit = nil
      let store = try PacketStore(
        directory: folder.appending(path: "store").path, capacity: count, configuration: configuration)
      guard let peer = lmdb_peer_open(folder.appending(path: "peer.mdb").path, 1 << 30, count) else {
        fatalError("LMDB does not open")
      }
      return (store, peer)
    }
  }

  private static func readingFromMemory(_ packets: Packets) -> Row {
    let cache = MemoryCache(capacity: count)
    for index in 0..<count { cache.offer(packets.packet(index, version: 1)) }
    var random = RandomSource(seed: 5)
    let order = (0..<1 << 16).map { _ in packets.keys[Int.random(in: 0..<count, using: &random)] }
    var next = 0
    let times = medianNanoseconds(of: [
      Work("memory") {
        next = (next + 1) & 0xffff
        sink &+= cache.packet(for: order[next])?.bytes.count ?? 0
      }
    ])
    return Row(name: "read from memory, random of \(count)", measured: times[0], unit: "ns")
  }

  private static func reading(_ store: PacketStore, _ peer: OpaquePointer, _ packets: Packets) throws -> [Row] {
    var random = RandomSource(seed: 2)
    // Present in both: the writing dropped less than half.
    let order = (0..<1 << 16).map { _ in Int.random(in: count / 2..<count, using: &random) }
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: valueLength)
    var (first, second, third) = (0, 0, 0)
    let times = packets.keyBytes.withUnsafeBufferPointer { keys in
      medianNanoseconds(of: [
        Work("lend") {
          first = (first + 1) & 0xffff
          sink &+= store.withCachedForm(for: packets.keys[order[first]]) { $0.byteCount } ?? missing()
        },
        Work("C") {
          second = (second + 1) & 0xffff
          sink &+= lmdb_peer_read(peer, keys.baseAddress! + 20 * order[second], copy)
        },
        Work("decode") {
          third = (third + 1) & 0xffff
          sink &+= store.packet(for: packets.keys[order[third]])?.bytes.count ?? missing()
        },
      ])
    }
    return [
      Row(
        name: "read, its bytes lent", measured: times[0], unit: "ns", peer: ("C loop on LMDB, copied", times[1]),
        target: .ratio(atMost: 1.1)),
      Row(name: "read, checked and decoded", measured: times[2], unit: "ns", peer: ("the same", times[1])),
    ]
  }

  private static func missing() -> Int { fatalError("a packet is missing") }

  /// Rounds of writing, each in both.
  private struct Writing {
    let store: PacketStore
    let peer: OpaquePointer
    let packets: Packets

    init(_ store: PacketStore, _ peer: OpaquePointer, _ packets: Packets) {
      self.store = store
      self.peer = peer
      self.packets = packets
    }

    /// Several rounds; CPU time of each.
    func write(_ indices: [Int], version: UInt64) async throws -> [(Double, Double)] {
      var times: [(Double, Double)] = []
      for start in stride(from: 0, to: indices.count, by: round) {
        times.append(try await writeRound(Array(indices[start..<min(start + round, indices.count)]), version: version))
      }
      return times
    }

    /// CPU time of all threads, for one packet: the store, C.
    private func writeRound(_ indices: [Int], version: UInt64) async throws -> (Double, Double) {
      let offers = indices.map { packets.packet($0, version: version) }
      let values = indices.flatMap { Array(repeating: 0 as UInt8, count: 12) + packets.form($0, version: version) }
      let start = process_cpu_nanoseconds(getpid())
      // Batch by batch, as C: what a batch touches is still in the caches when it is written.
      for start in stride(from: 0, to: offers.count, by: batch) {
        for offer in offers[start..<min(start + batch, offers.count)] { store.offer(offer) }
        try await store.flush()
      }
      let middle = process_cpu_nanoseconds(getpid())
      guard lmdb_peer_write(peer, values, valueLength, indices.count, batch) == 0 else {
        fatalError("LMDB fails")
      }
      let end = process_cpu_nanoseconds(getpid())
      return (Double(middle - start) / Double(indices.count), Double(end - middle) / Double(indices.count))
    }

    func row(_ name: String, from first: Int) async throws -> Row {
      var random = RandomSource(seed: UInt64(first))
      var samples: [(Double, Double)] = []
      for sample in 0..<19 {
        // New packets come one after another, newer ones at random.
        let indices =
          first == 0
          ? Array(Set((0..<round).map { _ in Int.random(in: count / 2..<count, using: &random) }))
          : Array(first + sample * round..<first + (sample + 1) * round)
        samples.append(try await writeRound(indices, version: UInt64(first + 1_000_000 + sample)))
      }
      return Row(
        name: name, measured: median(samples.map(\.0)), unit: "ns", peer: ("C loop on LMDB", median(samples.map(\.1))),
        target: .ratio(atMost: 1.1))
    }
  }
}
