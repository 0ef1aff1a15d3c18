import Addresses
import DNSResolution
import EventLoops

/// Clients on UDP of one socket. *Loop only.*
final class DatagramService: DatagramResponder, @unchecked Sendable {
  let server: DatagramServer
  private let shard: ResolverShard
  private let proxies: [AddressPrefix]

  /// `proxies` say in front of each datagram who the client is.
  init(_ server: DatagramServer, _ shard: ResolverShard, proxies: [AddressPrefix]) {
    self.server = server
    self.shard = shard
    self.proxies = proxies
  }

  func open() throws(SystemError) { try server.open(on: shard.loop, responder: self) }

  func respond(
    to query: RawSpan, isTruncated: Bool, along path: DatagramPath, into reply: UnsafeMutableRawBufferPointer
  ) -> Int {
    shard.beginBatch()
    if !proxies.isEmpty, proxies.contains(where: { $0.contains(path.client.address) }) {
      return respond(toProxied: query, along: path, into: reply)
    }
    // What was cut off is not there to be read; the resolver finds that out by itself.
    return shard.receive(query, from: QueryOrigin(path.client, .udp), into: reply) { .datagram(server, path) }.length
  }

  /// The answer goes back to the proxy, which knows whose it is.
  private func respond(
    toProxied datagram: RawSpan, along path: DatagramPath, into reply: UnsafeMutableRawBufferPointer
  ) -> Int {
    guard let header = ProxyHeader(datagram) else { return 0 }
    let query = datagram.extracting(header.byteCount..<datagram.byteCount)
    let origin = QueryOrigin(header.client ?? path.client, .udp)
    return shard.receive(query, from: origin, into: reply) { .datagram(server, path) }.length
  }

  func batchEnded() { shard.endBatch() }

  func datagramServerClosed(_ server: DatagramServer) {}
}
