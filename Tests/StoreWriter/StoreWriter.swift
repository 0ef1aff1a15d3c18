import Glibc
import Pkarr
import PkarrStore

/// A process that tests of the packet store start and kill:
///
///     StoreWriter hold DIRECTORY                 opens the store and keeps it open until standard input ends
///     StoreWriter write DIRECTORY CAPACITY SEED  stores packets for ever; a line for each that is acknowledged
///     StoreWriter fill DIRECTORY CAPACITY COUNT BYTES
///                                                stores packets while no file may have more bytes; says how it went
@main
enum StoreWriter {
  static func main() async {
    let words = CommandLine.arguments.dropFirst()
    do {
      switch (words.first, words.count) {
      case ("hold", 2): try hold(CommandLine.arguments[2])
      case ("write", 4): try await write(CommandLine.arguments[2], number(3), UInt64(number(4)))
      case ("fill", 5): try await fill(CommandLine.arguments[2], number(3), number(4), number(5))
      default: fail("usage: StoreWriter hold|write|fill DIRECTORY …")
      }
    } catch {
      fail("\(error)")
    }
  }

  private static func number(_ index: Int) -> Int { Int(CommandLine.arguments[index]) ?? 0 }

  private static func fail(_ text: String) -> Never {
    print(text)
    exit(1)
  }

  /// Standard output in one piece, so that lines are whole whenever the process dies.
  private static func say(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = Glibc.write(1, line, line.count)
  }

  private static func hold(_ directory: String) throws {
    let store = try PacketStore(directory: directory, capacity: 10)
    say("open")
    while getchar() != EOF {}
    store.close()
  }

  private static func packet(_ key: UInt64, version: UInt64) throws -> SignedPacket {
    let seed = (0..<32).map { UInt8(truncatingIfNeeded: key >> UInt64(8 * ($0 % 8))) }
    return try SignedPacket(signedBy: try Keypair(seed: seed), timestamp: Timestamp(microseconds: version)) {
      TXT("_test", String(repeating: "x", count: Int(key % 13) * 60), ttl: .hours(1))
    }
  }

  /// Several tasks that each store newer and newer packets of keys of their own.
  private static func write(_ directory: String, _ capacity: Int, _ seed: UInt64) async throws {
    let store = try PacketStore(directory: directory, capacity: capacity)
    say("open")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<8 as Range<UInt64> {
        group.addTask {
          for step in 0... as PartialRangeFrom<UInt64> {
            // Keys of earlier runs come up again, each run with later versions.
            let packet = try packet(task << 32 | step % 64, version: seed << 32 | step + 1)
            guard try await store.store(packet) == .stored else { fail("not stored") }
            say("\(packet.publicKey.z32) \(packet.timestamp.microseconds)")
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private static func fill(_ directory: String, _ capacity: Int, _ count: Int, _ bytes: Int) async throws {
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    signal(SIGXFSZ, SIG_IGN)
    guard setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { fail("no limit") }
    let store = try PacketStore(directory: directory, capacity: capacity)
    var failures = 0
    for key in 0..<UInt64(count) {
      do {
        _ = try await store.store(try packet(key, version: 1))
      } catch StoreError.diskFull {
        failures += 1
      }
    }
    let statistics = store.statistics
    store.close()
    say("\(statistics.count) kept \(statistics.evictions) evicted \(failures) failed")
  }
}
