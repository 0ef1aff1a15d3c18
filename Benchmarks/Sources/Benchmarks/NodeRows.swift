import CPeers
import Cryptography
import Foundation
import MainlineProtocol

/// What a node in a process of its own costs, against libtorrent's in the same run.
enum NodeRows {
  private static let here = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent()
  /// Enough to fill a few buckets of either program.
  private static let neighbourCount = 32

  static func rows() throws -> [Row] {
    // The nodes under test get the other core.
    _ = pin_to_core(0)
    defer { _ = unpin() }
    var ports = [UInt16](repeating: 0, count: neighbourCount)
    guard responders_start(Int32(ports.count), &ports) == 0 else { fatalError("no neighbours") }
    let ours = try NodeProcess("ours", here.appending(path: "PubkyNode"), [], neighbours: ports)
    defer { ours.stop() }
    let theirs = try NodeProcess("libtorrent", here.appending(path: "LibtorrentNode"), [], neighbours: ports)
    defer { theirs.stop() }
    let idle = ours.memory
    var rows = queryRows(ours, theirs)
    rows.append(
      Row(name: "idle node, resident", measured: idle.resident / 1e6, unit: "MB", target: .atMost(12)))
    rows.append(Row(name: "idle node, its own (anonymous)", measured: idle.anonymous / 1e6, unit: "MB"))
    rows += putRows(ours, theirs)
    return rows
  }

  /// CPU time for each kind of query, in turns, so that both nodes meet the same neighbours on this machine.
  private static func queryRows(_ ours: NodeProcess, _ theirs: NodeProcess) -> [Row] {
    let kinds: [(String, query_kind)] = [("ping", query_ping), ("find_node", query_find_node), ("get", query_get)]
    return kinds.map { name, kind in
      var own: [Double] = []
      var other: [Double] = []
      for _ in 0..<7 {
        own.append(ours.load(kind, seconds: 0.5).microseconds)
        other.append(theirs.load(kind, seconds: 0.5).microseconds)
      }
      return Row(
        name: "CPU for one \(name) answered", measured: median(own), unit: "µs", peer: ("libtorrent", median(other)),
        target: .ratio(atMost: 0.75))
    }
  }

  /// Items of 1000 bytes, each of a key of its own.
  struct Items {
    static let count = 8000
    static let batches = 8
    var keys: [UInt8] = []
    var signatures: [UInt8] = []
    var targets: [UInt8] = []
    /// 996 bytes, the most that libtorrent stores.
    let value = ItemValue.encoding(byteString: [UInt8](repeating: 0x61, count: ItemValue.universalByteCount))
    /// What one of the signatures is for.
    var signable: [UInt8] = []

    init() {
      var random = RandomSource(seed: 42)
      for _ in 0..<Self.count {
        guard let key = Ed25519.SecretKey(seed: random.bytes(32)),
          let item = try? MutableItem(signedBy: key, seq: 1, value: value)
        else { fatalError("an item cannot be signed") }
        keys += item.key.bytes
        signatures += item.signature.bytes
        targets += item.target.bytes
        signable = item.signable
      }
    }
  }

  private static func putRows(_ ours: NodeProcess, _ theirs: NodeProcess) -> [Row] {
    let items = Items()
    let before = ours.memory
    var own: [Double] = []
    var other: [Double] = []
    var bare: [Double] = []
    for batch in 0..<Items.batches {
      own.append(put(items, batch, ours))
      other.append(put(items, batch, theirs))
      bare.append(verificationMicroseconds(items, batch))
    }
    let after = ours.memory
    return [
      Row(
        name: "CPU for one put stored (1 kB, signature checked)", measured: median(own), unit: "µs",
        peer: ("libsodium verify", median(bare)), target: .ratio(atMost: 1.15)),
      Row(name: "the same against libtorrent", measured: median(own), unit: "µs", peer: ("libtorrent", median(other))),
      Row(
        name: "memory of one stored item (996 bytes)",
        measured: (after.resident - before.resident) / Double(Items.count), unit: "B", target: .atMost(1500)),
    ]
  }

  /// CPU time of the node for one put of a batch, in microseconds; all must be stored.
  private static func put(_ items: Items, _ batch: Int, _ node: NodeProcess) -> Double {
    let count = Items.count / Items.batches
    let first = batch * count
    let result = items.keys.withUnsafeBufferPointer { keys in
      items.signatures.withUnsafeBufferPointer { signatures in
        items.targets.withUnsafeBufferPointer { targets in
          load_puts(
            node.port, node.identifier, Int32(count), keys.baseAddress! + 32 * first,
            signatures.baseAddress! + 64 * first, targets.baseAddress! + 20 * first, items.value, items.value.count, 64)
        }
      }
    }
    let stored = result.replies - result.errors
    guard stored >= Int64(count * 99 / 100), result.errors == 0 else {
      fatalError("\(node.name) stored \(stored) of \(count), \(result.errors) errors")
    }
    return Double(result.node_cpu) / 1000 / Double(stored)
  }

  /// One signature of the same size checked by libsodium alone, in microseconds, on this core.
  private static func verificationMicroseconds(_ items: Items, _ batch: Int) -> Double {
    let key = Array(items.keys.suffix(32))
    let signature = Array(items.signatures.suffix(64))
    let start = thread_cpu_nanoseconds()
    for _ in 0..<1000 where sodium_verify(signature, items.signable, items.signable.count, key) != 1 {
      fatalError("libsodium refuses the signature")
    }
    return Double(thread_cpu_nanoseconds() - start) / 1e6
  }
}
