import Glibc
import Testing

@testable import PkarrStore

@Suite("Transactions of the packet store")
struct WriteTransactionTests {
  @Test("a packet that was taken for new replaces the one that is there, and both tables agree")
  func takenForNew() throws {
    let folder = TemporaryDirectory()
    let directory = Directory(path: folder.path)
    try directory.create()
    let environment = try Environment(directory, sizeLimit: 1 << 24, used: 0)
    for version in 1...3 as ClosedRange<UInt64> {
      var transaction = try WriteTransaction.begin(environment)
      try transaction.put(
        Sample.packet(1, version: version), for: Sample.key(1), stamp: version, isNew: true, oldStamp: nil,
        capacity: 10, slack: 0)
      #expect(transaction.count == 1)
      try transaction.commit()
    }
    environment.close()
    let summary = try audit(directory)
    #expect(summary.count == 1 && summary.lastStamp == 3)
  }

  @Test("a newer version of a packet that was used lately keeps its place in the index, of others it gets a new one")
  func slack() throws {
    let folder = TemporaryDirectory()
    let directory = Directory(path: folder.path)
    try directory.create()
    let environment = try Environment(directory, sizeLimit: 1 << 24, used: 0)
    for (version, stamp, place) in [(1, 1, 1), (2, 11, 1), (3, 12, 12)] as [(UInt64, UInt64, UInt64)] {
      var transaction = try WriteTransaction.begin(environment)
      try transaction.put(
        Sample.packet(1, version: version), for: Sample.key(1), stamp: stamp, isNew: false, oldStamp: nil, capacity: 10,
        slack: 10)
      try transaction.commit()
      let summary = try audit(directory)
      #expect(summary.count == 1 && summary.lastStamp == place)
      let reader = try Reader(environment)
      let value = try #require(try reader.value(of: KeyBytes(Sample.key(1))).flatMap(StoredPacket.init))
      #expect(value.packet(of: Sample.key(1))?.timestamp.microseconds == version)
      reader.end()
    }
    environment.close()
  }

  @Test(
    "what is known of a packet's stamp is believed only while it is true",
    arguments: [true, false], [(1, 2), (1, 1), (1, nil), (0, 2), (3, 2)] as [(known: UInt64, use: UInt64?)])
  func oldStamp(isRecent: Bool, stamps: (known: UInt64, use: UInt64?)) throws {
    let (known, use) = stamps
    let folder = TemporaryDirectory()
    let directory = Directory(path: folder.path)
    try directory.create()
    let environment = try Environment(directory, sizeLimit: 1 << 24, used: 0)
    var transaction = try WriteTransaction.begin(environment)
    try transaction.put(
      Sample.packet(1), for: Sample.key(1), stamp: 1, isNew: true, oldStamp: nil, capacity: 10, slack: 0)
    // Meanwhile the packet was used, or dropped.
    if let use { try transaction.use(Sample.key(1), stamp: use) } else { try transaction.evict(1) }
    try transaction.put(
      Sample.packet(1, version: 9), for: Sample.key(1), stamp: 7, isNew: false, oldStamp: known, capacity: 10,
      slack: isRecent ? 10 : 0)
    #expect(transaction.count == 1)
    try transaction.commit()
    // The audit compares both tables.
    let summary = try audit(directory)
    #expect(summary.count == 1)
    #expect(summary.lastStamp == (isRecent ? use ?? 7 : 7))
    let reader = try Reader(environment)
    let value = try #require(try reader.value(of: KeyBytes(Sample.key(1))).flatMap(StoredPacket.init))
    #expect(value.packet(of: Sample.key(1))?.timestamp.microseconds == 9)
    reader.end()
    environment.close()
  }

  private func audit(_ directory: Directory) throws -> FileAudit.Summary {
    try FileAudit.run(PageFile(directory.packets), pageSize: Int(sysconf(Int32(_SC_PAGESIZE))))
  }
}
