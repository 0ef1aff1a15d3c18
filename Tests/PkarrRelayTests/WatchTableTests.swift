import Addresses
import Pkarr
import Testing

@testable import PkarrRelay

@Suite("Who follows a key")
struct WatchTableTests {
  private let keypair = Keypair()
  private var key: PublicKey { keypair.publicKey }
  private let client = IPAddress(192, 0, 2, 1)

  private func add(
    _ watcher: String, _ key: PublicKey, _ client: IPAddress?, to table: inout WatchTable<String>
  ) throws -> (id: WatchTable<String>.WatchID, isFirst: Bool) {
    guard let place = table.add(watcher, key: key, client: client) else { throw CancellationError() }
    return place
  }

  @Test("all who follow a key share it, and the last who leaves ends it")
  func shared() throws {
    var table = WatchTable<String>(capacity: 10, capacityPerClient: 10)
    let a = try add("a", key, client, to: &table)
    let b = try add("b", key, client, to: &table)
    let c = try add("c", Keypair().publicKey, nil, to: &table)
    #expect(a.isFirst && !b.isFirst && c.isFirst && table.count == 3)
    let leaving = [table.remove(a.id), table.remove(a.id), table.remove(b.id), table.remove(c.id)]
    #expect(leaving[0] == nil && leaving[1] == nil && leaving[2] == key && leaving[3] != nil && table.count == 0)
    let again = try add("d", key, client, to: &table)
    #expect(again.isFirst)
  }

  @Test("places are bounded in all and for each address")
  func bounded() throws {
    var table = WatchTable<String>(capacity: 3, capacityPerClient: 2)
    let first = try add("a", key, client, to: &table)
    _ = try add("b", key, client, to: &table)
    #expect(!table.hasRoom(for: client))
    #expect(throws: CancellationError.self) { _ = try add("c", key, client, to: &table) }
    _ = try add("d", key, nil, to: &table)
    #expect(!table.hasRoom(for: nil))
    #expect(throws: CancellationError.self) { _ = try add("e", key, nil, to: &table) }
    _ = table.remove(first.id)
    #expect(table.hasRoom(for: client))
  }

  @Test("only a newer packet is news, and only for those who follow its key")
  func news() throws {
    var table = WatchTable<String>(capacity: 10, capacityPerClient: 10)
    let packets = try [1, 5, 5, 4, 6].map { try makePacket(keypair, at: $0) }
    let early = table.news(packets[0])
    #expect(early.isEmpty && table.newest(key) == nil)
    for (watcher, key) in [("a", key), ("b", key), ("c", Keypair().publicKey)] {
      _ = try add(watcher, key, nil, to: &table)
    }
    let told = packets.dropFirst().map { table.news($0).sorted() }
    #expect(told == [["a", "b"], [], [], ["a", "b"]])
    #expect(table.newest(key)?.timestamp.microseconds == 6 && table.watchers.sorted() == ["a", "b", "c"])
  }
}
