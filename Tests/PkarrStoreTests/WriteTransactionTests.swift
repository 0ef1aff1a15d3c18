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
        Sample.packet(1, version: version), for: Sample.key(1), stamp: version, isNew: true, capacity: 10,
        slack: 0)
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
        Sample.packet(1, version: version), for: Sample.key(1), stamp: stamp, isNew: false, capacity: 10, slack: 10)
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

  private func audit(_ directory: Directory) throws -> FileAudit.Summary {
    try FileAudit.run(PageFile(directory.packets), pageSize: Int(sysconf(Int32(_SC_PAGESIZE))))
  }
}
