import CLinux
import Glibc

extension EventLoop {
  /// Calls `handler` whenever the descriptor is ready (level-triggered), until it is unwatched. *Loop only.*
  ///
  /// The descriptor stays the caller's, who closes it after `unwatch` or `eventLoopStopped`.
  public func watch(
    _ descriptor: Int32, for readiness: Readiness, handler: any DescriptorHandler
  ) throws(SystemError) -> Watch {
    requireLoop()
    if isEnding { throw SystemError(code: ESHUTDOWN, operation: "watch a descriptor on a stopped event loop") }
    let watch = descriptors.insert(descriptor, handler)
    let code = linux_epoll_control(epoll, EPOLL_CTL_ADD, descriptor, readiness.rawValue, watch.token)
    guard code == 0 else {
      _ = descriptors.remove(watch)
      throw SystemError(code: -code, operation: "watch a descriptor")
    }
    return watch
  }

  /// Changes what a descriptor is watched for. *Loop only.*
  public func update(_ watch: Watch, for readiness: Readiness) {
    requireLoop()
    guard let descriptor = descriptors.descriptor(watch) else { return }
    let code = linux_epoll_control(epoll, EPOLL_CTL_MOD, descriptor, readiness.rawValue, watch.token)
    precondition(code == 0, "a watched descriptor was closed")
  }

  /// Forgets a descriptor: its handler is not called any more, not even for what is ready already. *Loop only.*
  public func unwatch(_ watch: Watch) {
    requireLoop()
    guard let (descriptor, handler) = descriptors.remove(watch) else { return }
    // The handler may close the descriptor, and change the table, when it goes.
    withExtendedLifetime(handler) { _ = linux_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0) }
  }
}
