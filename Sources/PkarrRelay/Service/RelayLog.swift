import EventLoops
import Logging
import Synchronization

/// The log of a relay, whose level and format can be changed while it works.
final class RelayLog: Sendable {
  private let logger: LockedValue<Logger>
  private let isDetailedNow: Atomic<Bool>

  init(_ logger: Logger) {
    self.logger = LockedValue(logger)
    isDetailedNow = Atomic(logger.level <= .debug)
  }

  /// The logger as it is at the moment.
  var current: Logger { logger.withLock { $0 } }

  /// True if each request is logged: cheaper to ask than ``current``.
  var isDetailed: Bool { isDetailedNow.load(ordering: .relaxed) }

  /// Goes on with another one.
  func change(to new: Logger) {
    logger.withLock { $0 = new }
    isDetailedNow.store(new.level <= .debug, ordering: .relaxed)
  }
}
