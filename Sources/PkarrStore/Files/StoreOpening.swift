import EventLoops
import Glibc

/// Everything that happens before a store can be used: the lock, the decision about what is there, and LMDB.
struct StoreOpening {
  let environment: Environment
  let stateFile: StateFile
  let summary: FileAudit.Summary
  let fresh: FreshStart?

  init(
    _ directory: Directory, capacity: Int, configuration: PacketStore.Configuration, bootIdentifierPath: String
  ) throws(StoreError) {
    do throws(SystemError) { try directory.create() } catch { throw .system(error) }
    stateFile = try StateFile(directory, bootIdentifierPath: bootIdentifierPath)
    let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    var summary = FileAudit.Summary()
    do throws(SystemError) {
      fresh = try Self.decide(directory, stateFile.found, pageSize: pageSize, &summary)
      switch fresh {
      case .damaged, .afterUncleanPowerLoss: try directory.remove(directory.packets)
      case .notOurs(let path):
        guard rename(directory.packets, path) == 0 else {
          throw SystemError(code: errno, operation: "move \(directory.packets) to \(path)")
        }
      case .firstUse, nil: break
      }
    } catch {
      throw .system(error)
    }
    // A new file is written at once, an old one only later.
    if fresh != nil { try stateFile.markOpen() }
    self.summary = summary
    environment = try Environment(
      directory,
      sizeLimit: configuration.sizeLimit ?? Environment.sizeLimit(capacity: capacity, pageSize: pageSize),
      used: summary.used)
  }

  /// Whether what is there can be used. Changes nothing.
  private static func decide(
    _ directory: Directory, _ mark: StateFile.Mark, pageSize: Int, _ summary: inout FileAudit.Summary
  ) throws(SystemError) -> FreshStart? {
    guard try directory.hasPackets() else { return .firstUse }
    let file = try PageFile(directory.packets)
    guard MetaPage.isLMDB(file, pageSize: pageSize) else { return .notOurs(movedTo: directory.setAside) }
    switch mark {
    case .none: return .damaged("\(directory.state) is missing, which says whether it was closed")
    case .unreadable: return .damaged("\(directory.state) is of another version")
    case .openInAnotherBoot: return .afterUncleanPowerLoss
    case .clean, .open: break
    }
    do throws(FileDamage) {
      summary = try FileAudit.run(file, pageSize: pageSize)
      return nil
    } catch {
      return .damaged("\(error)")
    }
  }
}
