import EventLoops
import Synchronization

/// The log of a service, whose level and format can be changed while it works.
public final class ServiceLog: Sendable {
  private let logger: LockedValue<Logger>
  private let isDetailedNow: Atomic<Bool>

  /// Begins with a logger.
  public init(_ logger: Logger) {
    self.logger = LockedValue(logger)
    isDetailedNow = Atomic(logger.level <= .debug)
  }

  /// The logger as it is at the moment.
  public var current: Logger { logger.withLock { $0 } }

  /// True if each request is logged: cheaper to ask than ``current``.
  public var isDetailed: Bool { isDetailedNow.load(ordering: .relaxed) }

  /// Goes on with another one.
  public func change(to new: Logger) {
    logger.withLock { $0 = new }
    isDetailedNow.store(new.level <= .debug, ordering: .relaxed)
  }
}
