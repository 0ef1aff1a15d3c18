import CommandLineTool
import Cryptography
import Glibc
import WireFormat

/// Writes files so that there is either the whole file or none: into a temporary file beside it, then renamed.
enum NewFile {
  /// Creates a file with mode 600 from its first moment; never overwrites one.
  ///
  /// - Throws: `CommandError` if there is a file already or it cannot be written. Then nothing is left behind.
  static func create(_ path: String, holding bytes: [UInt8]) throws(CommandError) {
    let temporary = try writeTemporary(path, bytes)
    // A link, unlike a renaming, cannot take the place of a file that appeared meanwhile.
    var code = link(temporary, path) == 0 ? 0 : errno
    if code == EPERM || code == EOPNOTSUPP {
      // A file system without links, as on a memory stick: then the file itself is created, or not if it is there.
      code = write(bytes, toNew: path)
    }
    unlink(temporary)
    if code == EEXIST {
      throw .input("\(path) exists already", advice: "A key is never overwritten. Choose another name.")
    }
    if code != 0 { throw unwritable(path, code) }
    syncDirectory(of: path)
  }

  /// Writes a file that everybody may read, in the place of one that is there.
  ///
  /// - Throws: `CommandError` if it cannot be written. Then nothing is left behind, and what was there stays.
  static func replace(_ path: String, with bytes: [UInt8]) throws(CommandError) {
    let temporary = try writeTemporary(path, bytes)
    let code = chmod(temporary, 0o644) == 0 && rename(temporary, path) == 0 ? 0 : errno
    if code != 0 {
      unlink(temporary)
      throw unwritable(path, code)
    }
    syncDirectory(of: path)
  }

  /// Finds out whether there is a folder for a file that will take long to make.
  ///
  /// - Throws: `CommandError` if there is none.
  static func requireFolder(of path: String) throws(CommandError) {
    let (folder, name) = split(path)
    if name.isEmpty || name == "." || name == ".." { throw .input("\(path) is not the name of a file") }
    if access(folder.isEmpty ? "." : folder, W_OK | X_OK) != 0 { throw unwritable(path, errno) }
  }

  /// Makes the folders that are missing above a file, for the owner alone.
  static func makeFolders(above path: String) throws(CommandError) {
    var end = path.startIndex
    while let slash = path[end...].dropFirst().firstIndex(of: "/") {
      let folder = String(path[..<slash])
      if mkdir(folder, 0o700) != 0, errno != EEXIST { throw unwritable(folder, errno) }
      end = slash
    }
  }

  private static func writeTemporary(_ path: String, _ bytes: [UInt8]) throws(CommandError) -> String {
    var random = RandomSource.system
    let (folder, name) = split(path)
    if name.isEmpty || name == "." || name == ".." { throw .input("\(path) is not the name of a file") }
    let temporary = "\(folder).\(name).\(Hex.encode(random.bytes(8)))"
    let code = write(bytes, toNew: temporary)
    if code != 0 { throw unwritable(path, code) }
    return temporary
  }

  /// Creates a file that does not exist, with mode 600 from its first moment, and writes it to the disk. If that fails
  /// nothing is left.
  ///
  /// - Returns: 0 or the number of the error.
  private static func write(_ bytes: [UInt8], toNew path: String) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return errno }
    var code: Int32 = 0
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty, code == 0 {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { code = errno }
      }
    }
    if code == 0, fsync(descriptor) != 0 { code = errno }
    if close(descriptor) != 0, code == 0 { code = errno }
    if code != 0 { unlink(path) }
    return code
  }

  private static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    let start = path.index(after: slash)
    return (String(path[..<start]), String(path[start...]))
  }

  /// Makes the new name survive a power failure. Not all file systems can; the file is there all the same.
  private static func syncDirectory(of path: String) {
    let folder = split(path).folder
    let descriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if descriptor >= 0 {
      fsync(descriptor)
      close(descriptor)
    }
  }

  private static func unwritable(_ path: String, _ code: Int32) -> CommandError {
    .input("\(path) cannot be written: \(Console.text(ofError: code))")
  }
}
