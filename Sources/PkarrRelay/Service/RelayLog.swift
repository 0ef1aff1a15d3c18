import EventLoops
import Logging

/// The log of a relay, whose level and format can be changed while it works.
final class RelayLog: Sendable {
  private let logger: LockedValue<Logger>

  init(_ logger: Logger) { self.logger = LockedValue(logger) }

  /// The logger as it is at the moment.
  var current: Logger { logger.withLock { $0 } }

  /// Goes on with another one.
  func change(to new: Logger) { logger.withLock { $0 = new } }
}
