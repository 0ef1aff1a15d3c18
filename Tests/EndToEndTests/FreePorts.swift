import EventLoops
import Foundation

/// UDP ports that nobody uses: below those that the system gives away (32768 and up), and no two callers get the same.
enum FreePorts {
  struct NoneFound: Error {}

  private static let range: ClosedRange<UInt16> = 20_000...31_000
  /// Runs of the tests at the same time begin at different places.
  private static let next = LockedValue(range.lowerBound + UInt16(getpid() % 500) * 20)

  private static func take(_ count: Int) -> UInt16 {
    next.withLock { next in
      if Int(next) + count > Int(range.upperBound) { next = range.lowerBound }
      defer { next += UInt16(count) }
      return next
    }
  }

  /// The first of `count` successive ports of 127.0.0.1 that are free now.
  static func firstOf(_ count: Int) throws -> UInt16 {
    for _ in 0..<1000 {
      let first = take(count)
      let sockets = (0..<UInt16(count)).map { bound(first + $0) }
      defer { for socket in sockets where socket >= 0 { close(socket) } }
      if sockets.allSatisfy({ $0 >= 0 }) { return first }
    }
    throw NoneFound()
  }

  /// A UDP socket on a port of 127.0.0.1; −1 if it is taken.
  static func bound(_ port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
    }
    if result == 0 { return descriptor }
    close(descriptor)
    return -1
  }
}

/// A UDP port that takes all and answers nothing.
final class SilentSocket {
  let port: UInt16
  private let descriptor: Int32

  init() throws {
    port = try FreePorts.firstOf(1)
    descriptor = FreePorts.bound(port)
    guard descriptor >= 0 else { throw FreePorts.NoneFound() }
  }

  deinit { close(descriptor) }
}
