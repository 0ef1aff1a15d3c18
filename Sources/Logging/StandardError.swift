import Glibc
import Synchronization

extension Logger {
  /// A logger on standard error. It writes for journald if standard error is connected to it (`JOURNAL_STREAM`,
  /// systemd.exec(5)).
  public static func standardError(level: LogLevel, format: LogFormat) -> Logger {
    let stream = LineStream(descriptor: STDERR_FILENO)
    let forJournal = isJournal(STDERR_FILENO, named: getenv("JOURNAL_STREAM").map { String(cString: $0) })
    return Logger(level: level, format: format, forJournal: forJournal) { stream.write($0) }
  }

  /// True if `descriptor` is the stream that `variable` (`device:inode`, decimal) names: an inherited variable alone says
  /// nothing about a standard error that was redirected since.
  static func isJournal(_ descriptor: Int32, named variable: String?) -> Bool {
    guard let variable else { return false }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return false }
    return variable == "\(status.st_dev):\(status.st_ino)"
  }
}

/// A file descriptor that takes whole lines from any thread.
final class LineStream: Sendable {
  private let descriptor: Int32
  private let turn = Mutex(())

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// Writes one line. A reader that went away or cannot take more loses lines; the program goes on.
  func write(_ line: [UInt8]) {
    turn.withLock { _ in
      line.withUnsafeBytes { bytes in
        var rest = bytes[...]
        while !rest.isEmpty {
          let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress!, rest.count)
          if count > 0 {
            rest = rest.dropFirst(count)
          } else if count == 0 {
            return
          } else if errno == EAGAIN {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&waiting, 1, 1000) == 0 { return }
          } else if errno != EINTR {
            return
          }
        }
      }
    }
  }
}
