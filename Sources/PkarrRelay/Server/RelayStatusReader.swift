import EventLoops
import HTTP
import PkarrStore

/// Asks all parts of a relay how they are doing.
struct RelayStatusReader: Sendable {
  let version: String
  let start: UInt64
  let network: any RelayNetwork
  let service: PacketService
  let hub: WatchHub
  let lanes: [VerificationLane]
  let limiters: RelayLimiters
  /// Filled once the servers are there.
  let servers: ServerList

  /// Servers, which come into being after those who want to know of them.
  final class ServerList: Sendable {
    private let servers = LockedValue<[HTTPServer]>([])

    var all: [HTTPServer] { servers.withLock { $0 } }

    func set(_ new: [HTTPServer]) { servers.withLock { $0 = new } }
  }

  /// How the relay is doing now.
  func read() async -> RelayStatus {
    var status = RelayStatus()
    status.version = version
    status.uptime = .nanoseconds(Int64(clamping: MonotonicClock.now - start))
    status.node = await network.status()
    let cache = service.shelf.cache.statistics
    status.cache = RelayStatus.Cache(
      packets: cache.count, capacity: cache.capacity, memoryPackets: service.shelf.ready.count,
      oldestWaitingWrite: cache.oldestWaitingWrite, failedWrites: UInt64(clamping: cache.writeErrors))
    let lookups = service.lookups.load
    status.load.lookups = lookups.lookups
    status.load.waitingRequests = lookups.waiters
    for lane in lanes { status.load.waitingVerifications += await lane.waiting() }
    status.load.watchers = hub.count
    status.load.limitedAddresses = limiters.requests.addressCount
    for server in servers.all {
      let http = await server.statistics()
      status.load.connections += http.openConnections
      status.connections.accepted &+= UInt64(clamping: http.acceptedConnections)
      status.connections.refused &+= UInt64(clamping: http.refusedConnections)
      status.connections.timedOut &+= UInt64(clamping: http.timedOutConnections)
      status.connections.malformed &+= UInt64(clamping: http.malformedRequests)
    }
    status.counts = service.counter.current
    status.republishing = await service.keeper?.status()
    return status
  }
}
