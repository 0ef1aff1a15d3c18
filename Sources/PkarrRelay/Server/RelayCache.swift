import Glibc
import Logging
import Pkarr
import PkarrStore
import PlainText

/// The cache of a running relay, and what has to be cleaned up after it.
struct RelayCache: Sendable {
  /// The packets.
  let packets: any PacketCache
  /// Where they are; nil if none are kept.
  let directory: String?
  /// Where other files of the relay may lie, `/tmp` if it has no place of its own.
  let base: String
  private let store: PacketStore?
  /// What goes when the relay ends.
  private let temporaryDirectory: String?

  /// The name of the cache's own directory, below the configured one.
  static let directoryName = "pkarr-cache"

  /// Where the authority for development keeps its files.
  var authorityDirectory: String { "\(base)/development-authority" }

  /// Opens the cache.
  static func open(
    _ settings: RelayConfiguration.CacheSettings, _ log: ServiceLog
  ) throws(RelayStartError) -> RelayCache {
    guard settings.size > 0 else {
      return RelayCache(
        packets: MemoryCache(capacity: 0), directory: nil, base: settings.path ?? systemTemporaryDirectory, store: nil,
        temporaryDirectory: nil)
    }
    let temporary = settings.path == nil ? "\(systemTemporaryDirectory)/\(Timestamp.now())" : nil
    let base = settings.path ?? temporary ?? systemTemporaryDirectory
    let directory = "\(base)/\(directoryName)"
    if let temporary {
      log.current.warning(
        "cache.ephemeral",
        ["directory": .string(temporary), "advice": "set cache.path, or the cache is lost on restart"])
    }
    do throws(StoreError) {
      let store = try PacketStore(directory: directory, capacity: settings.size)
      switch store.openedFresh {
      case nil, .firstUse?: break
      case let reason?: log.current.warning("cache.lost", ["reason": .string("\(reason)")])
      }
      return RelayCache(
        packets: store, directory: directory, base: base, store: store, temporaryDirectory: temporary)
    } catch {
      throw .cache(directory: directory, error)
    }
  }

  /// Writes what waits and closes the files. May take a while.
  func close() {
    store?.close()
    guard let temporaryDirectory, let directory else { return }
    for directory in [directory, authorityDirectory] {
      Self.removeFiles(in: directory)
      rmdir(directory)
    }
    rmdir(temporaryDirectory)
  }

  private static var systemTemporaryDirectory: String {
    guard let path = getenv("TMPDIR"), path.pointee == CChar(UInt8(ascii: "/")) else { return "/tmp" }
    return String(cString: path)
  }

  private static func removeFiles(in directory: String) {
    guard let list = opendir(directory) else { return }
    defer { closedir(list) }
    while let entry = readdir(list) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      unlink("\(directory)/\(name)")
    }
  }
}
