import EventLoops
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
  private let ephemeral: EphemeralDirectory?

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
        ephemeral: nil)
    }
    let ephemeral = settings.path == nil ? EphemeralDirectory(below: systemTemporaryDirectory) : nil
    guard let base = settings.path ?? ephemeral?.path else {
      let code = access(systemTemporaryDirectory, W_OK) == 0 ? EIO : errno
      throw .system(SystemError(code: code, operation: "make a directory in \(systemTemporaryDirectory)"))
    }
    let directory = "\(base)/\(directoryName)"
    if let ephemeral {
      log.current.warning(
        "cache.ephemeral",
        ["directory": .string(ephemeral.path), "advice": "set cache.path, or the cache is lost on restart"])
    }
    do throws(StoreError) {
      let store = try PacketStore(directory: directory, capacity: settings.size)
      switch store.openedFresh {
      case nil, .firstUse?: break
      case let reason?: log.current.warning("cache.lost", ["reason": .string("\(reason)")])
      }
      return RelayCache(
        packets: store, directory: directory, base: base, store: store, ephemeral: ephemeral)
    } catch {
      ephemeral?.remove()
      throw .cache(directory: directory, error)
    }
  }

  /// Writes what waits and closes the files. May take a while.
  func close() {
    store?.close()
    ephemeral?.remove()
  }

  private static var systemTemporaryDirectory: String {
    guard let path = getenv("TMPDIR"), path.pointee == CChar(UInt8(ascii: "/")) else { return "/tmp" }
    return String(cString: path)
  }
}
