import Glibc

/// Looks now and then whether files have changed.
///
/// It looks instead of being told (inotify), since files are replaced in many ways: written anew, renamed over, or reached
/// through links that are changed (certbot, Kubernetes).
struct FileWatch: Sendable {
  /// What tells one state of a file from another; nil if there is no file.
  private struct Mark: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let seconds: Int
    let nanoseconds: Int
  }

  private let paths: [String]
  /// How often it looks.
  private static let interval = Duration.seconds(1)

  init(_ paths: [String]) { self.paths = paths }

  /// Calls `body` after each change, until the task is cancelled. A file that is being written is left until it looks the
  /// same twice.
  func run(_ body: @Sendable () -> Void) async {
    var known = marks
    var before = known
    while (try? await Task.sleep(for: Self.interval)) != nil {
      let now = marks
      defer { before = now }
      guard now != known, now == before else { continue }
      known = now
      body()
    }
  }

  private var marks: [Mark?] {
    paths.map { path in
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      return Mark(
        device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
        seconds: Int(status.st_mtim.tv_sec), nanoseconds: Int(status.st_mtim.tv_nsec))
    }
  }
}

extension PKDNSConfiguration {
  /// The files that a reload reads again besides the configuration itself.
  var files: [String] { [tls?.certificate, tls?.key].compactMap(\.self) }
}
