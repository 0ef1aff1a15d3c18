import Glibc
import PlainText

/// The fields that every response has, as they stand in a head, made once a second: `date` (RFC 9110 §6.6.1) and, if the
/// server has a name, `server`.
struct HTTPDateLine {
  private let serverLine: String
  private var second: time_t = -1
  private var line: [UInt8] = []
  private var text = ""

  init(serverName: String?) { serverLine = serverName.map { "server: \($0)\r\n" } ?? "" }

  /// `date: Sun, 06 Nov 1994 08:49:37 GMT\r\n`, and the line of the server.
  mutating func current() -> [UInt8] {
    refresh()
    return line
  }

  /// The value of `date`, for HTTP/2.
  mutating func value() -> String {
    refresh()
    return text
  }

  private mutating func refresh() {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &now)
    if now.tv_sec == second { return }
    second = now.tv_sec
    text = HTTPDate(secondsSince1970: UInt64(max(0, second))).map(String.init) ?? ""
    line = Array("date: \(text)\r\n\(serverLine)".utf8)
  }
}
