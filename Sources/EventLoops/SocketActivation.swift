import Glibc

/// Listening sockets that systemd opened for this process (`sd_listen_fds(3)`).
public enum SocketActivation {
  /// Descriptors from 3 on.
  private static let firstDescriptor: Int32 = 3
  private static let maximumCount: Int32 = 64

  /// The descriptors, each with the name that its unit gave it (`FileDescriptorName=`); empty if there are none for this
  /// process.
  ///
  /// Call it once, early: it takes the variables out of the environment, so that child processes do not believe they are
  /// meant.
  public static func take() -> [(descriptor: Int32, name: String)] {
    defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
    guard let process = variable("LISTEN_PID").flatMap({ pid_t($0) }), process == getpid(),
      let count = variable("LISTEN_FDS").flatMap({ Int32($0) }), (1...maximumCount).contains(count)
    else { return [] }
    let names = variable("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    return (0..<count).map { index in
      let name = names.flatMap { Int(index) < $0.count ? $0[Int(index)] : nil } ?? "unknown"
      return (firstDescriptor + index, name)
    }
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
