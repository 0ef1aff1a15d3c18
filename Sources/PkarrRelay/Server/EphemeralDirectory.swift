import Glibc
import Pkarr

/// The directory of a relay that was told no place for its cache: below the system's temporary directory, removed when the
/// relay ends.
///
/// A relay that was killed leaves its directory behind, and the next one removes it. Which ones are left behind is certain:
/// each holds a file that is locked (`flock`) before it gets its name and as long as its owner lives.
final class EphemeralDirectory: Sendable {
  /// Where it is.
  let path: String
  private let lock: Int32

  private static let prefix = "pubky-relay-"
  private static let lockName = "lock"
  /// Levels of directories in one; deeper ones are not ours.
  private static let maximumDepth = 2
  private static let maximumEntries = 10_000

  /// Makes a directory of its own below `parent`, and removes those that dead relays of the same user have left there.
  ///
  /// Nil if it cannot be made or locked; then nothing is left behind.
  init?(below parent: String) {
    Self.removeAbandoned(below: parent)
    path = "\(parent)/\(Self.prefix)\(Timestamp.now())"
    guard mkdir(path, 0o700) == 0 else { return nil }
    // Locked under another name first: whoever sees the name sees the lock.
    let name = "\(path)/\(Self.lockName)"
    let descriptor = open(name + ".new", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0, rename(name + ".new", name) == 0 else {
      if descriptor >= 0 { close(descriptor) }
      unlink(name + ".new")
      rmdir(path)
      return nil
    }
    lock = descriptor
  }

  deinit { close(lock) }

  /// Removes it with all that is in it.
  func remove() { Self.removeTree(path) }

  // MARK: - Those that are left behind

  /// Removes the directories whose owners are dead. What is not certain to be one of them stays.
  static func removeAbandoned(below parent: String) {
    guard let list = opendir(parent) else { return }
    defer { closedir(list) }
    for name in entries(list) where name.hasPrefix(prefix) {
      guard Timestamp(String(name.dropFirst(prefix.count))) != nil else { continue }
      removeIfAbandoned("\(parent)/\(name)")
    }
  }

  private static func removeIfAbandoned(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
      status.st_mode & 0o022 == 0
    else { return }
    let descriptor = open("\(path)/\(lockName)", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
    removeTree(path)
  }

  /// Removes a directory of ours. The lock goes last, so that what a crash leaves of it is found the next time.
  private static func removeTree(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    removeContents(of: descriptor, except: lockName, depth: 0)
    unlink("\(path)/\(lockName)")
    rmdir(path)
  }

  /// Takes over the descriptor of a directory.
  private static func removeContents(of descriptor: Int32, except kept: String?, depth: Int) {
    guard let list = fdopendir(descriptor) else {
      close(descriptor)
      return
    }
    defer { closedir(list) }
    for name in entries(list) where name != kept {
      guard unlinkat(descriptor, name, 0) != 0, errno == EISDIR, depth < maximumDepth else { continue }
      let below = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard below >= 0 else { continue }
      removeContents(of: below, except: nil, depth: depth + 1)
      unlinkat(descriptor, name, AT_REMOVEDIR)
    }
  }

  private static func entries(_ list: OpaquePointer) -> [String] {
    var names: [String] = []
    while names.count < maximumEntries, let entry = readdir(list) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
