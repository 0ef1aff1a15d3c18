import Foundation
import Testing

/// A Unix socket on which a service manager would hear of a program.
final class NotifySocket: Sendable {
  let path: String
  private let descriptor: Int32

  init(in folder: URL) throws {
    path = folder.appending(path: "notify").path
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0)
  }

  deinit { close(descriptor) }

  /// Waits for a message that begins so; what came before it is passed over. Nil if nothing comes for a minute.
  func first(_ prefix: String) async -> String? {
    for _ in 0..<6000 {
      var buffer = [UInt8](repeating: 0, count: 256)
      let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count > 0 {
        let text = String(decoding: buffer.prefix(count), as: UTF8.self)
        if text.hasPrefix(prefix) { return text }
      } else {
        try? await Task.sleep(for: .milliseconds(10))
      }
    }
    return nil
  }
}
