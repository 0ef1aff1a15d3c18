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
    let summary = try FileAudit.run(PageFile(directory.packets), pageSize: Int(sysconf(Int32(_SC_PAGESIZE))))
    #expect(summary.count == 1 && summary.lastStamp == 3)
  }
}
