import Glibc

/// A system call that failed.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The system's error number, such as `EADDRINUSE`.
  public let code: Int32
  /// What was tried, such as `bind 127.0.0.1:6881`.
  public let operation: String

  /// Joins an error number and what was tried.
  public init(code: Int32, operation: String) {
    self.code = code
    self.operation = operation
  }

  /// `bind 127.0.0.1:6881: Address already in use`
  public var description: String {
    var buffer = [CChar](repeating: 0, count: 128)
    let isKnown = strerror_r(code, &buffer, buffer.count) == 0
    let text = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return "\(operation): \(isKnown ? text : "error \(code)")"
  }

  /// True if an address or port is in use already.
  public var isAddressInUse: Bool { code == EADDRINUSE }
}

/// An event loop that has been stopped, or was stopped while the caller waited for it.
public struct EventLoopStopped: Error, Hashable, Sendable, CustomStringConvertible {
  /// One line for people.
  public var description: String { "the event loop has been stopped" }

  /// Makes the error.
  public init() {}
}
