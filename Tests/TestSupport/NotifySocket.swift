import Foundation

/// A Unix socket on which a service manager hears of its services, one datagram for each state.
public final class NotifySocket: Sendable {
  /// The socket could not be made.
  public struct NotBound: Error {}

  /// What the services are told.
  public let path: String
  private let descriptor: Int32

  /// Listens on a socket of its own in a folder.
  public init(in folder: URL = FileManager.default.temporaryDirectory) throws {
    path = folder.appending(path: "notify-\(UUID().uuidString.prefix(8))").path
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { throw NotBound() }
  }

  deinit {
    close(descriptor)
    unlink(path)
  }

  /// The next message; waits for it.
  public func next() -> String { receive(0) ?? "" }

  /// A message that is there already; nil if there is none.
  public func poll() -> String? { receive(Int32(MSG_DONTWAIT)) }

  private func receive(_ flags: Int32) -> String? {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = recv(descriptor, &buffer, buffer.count, flags)
    return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  /// Waits for a message that begins so; what came before it is passed over. Nil if nothing comes for a minute.
  public func first(_ prefix: String) async -> String? {
    for _ in 0..<6000 {
      guard let text = poll() else {
        try? await Task.sleep(for: .milliseconds(10))
        continue
      }
      if text.hasPrefix(prefix) { return text }
    }
    return nil
  }
}
