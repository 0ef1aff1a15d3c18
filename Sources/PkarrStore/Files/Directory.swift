import EventLoops
import Glibc

/// The files of a store in its directory. Their names differ from those of other implementations (`data.mdb`,
/// `lock.mdb`), so both may live in one directory.
struct Directory: Sendable {
  let path: String

  /// The packets: an LMDB file.
  var packets: String { path + "/packets.mdb" }
  /// LMDB's own lock file, which means nothing while nobody has the store open.
  var packetsLock: String { packets + "-lock" }
  /// Where a file goes that is not ours but bears our name.
  var setAside: String { packets + ".unreadable" }
  /// Who has the store open, and whether it was closed; see ``StateFile``.
  var state: String { path + "/packets.state" }

  /// Makes the directory and those above it that do not exist, for this user only.
  func create() throws(SystemError) {
    var parts = path.split(separator: "/", omittingEmptySubsequences: true)[...]
    var prefix = path.hasPrefix("/") ? "/" : ""
    while let part = parts.popFirst() {
      prefix += part
      if mkdir(prefix, 0o700) != 0, errno != EEXIST {
        let code = errno
        // A directory that exists may stand where nothing may be made.
        var status = stat()
        guard stat(prefix, &status) == 0 else { throw SystemError(code: code, operation: "make directory \(prefix)") }
      }
      prefix += "/"
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw SystemError(code: errno, operation: "open directory \(path)") }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw SystemError(code: ENOTDIR, operation: "open directory \(path)")
    }
  }

  /// True if there is a file of packets that is not empty.
  ///
  /// - Throws: `SystemError` if something stands there that is no file, or nobody may look.
  func hasPackets() throws(SystemError) -> Bool {
    var status = stat()
    guard stat(packets, &status) == 0 else {
      if errno == ENOENT { return false }
      throw SystemError(code: errno, operation: "open \(packets)")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SystemError(code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL, operation: "open \(packets)")
    }
    return status.st_size > 0
  }

  /// Deletes a file; one that does not exist is as good.
  func remove(_ file: String) throws(SystemError) {
    guard unlink(file) == 0 || errno == ENOENT else { throw SystemError(code: errno, operation: "remove \(file)") }
  }
}
