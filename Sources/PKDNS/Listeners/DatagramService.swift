import Addresses
import DNSResolution
import EventLoops

/// Clients on UDP of one socket. *Loop only.*
final class DatagramService: DatagramResponder, @unchecked Sendable {
  let server: DatagramServer
  private let shard: ResolverShard

  init(_ server: DatagramServer, _ shard: ResolverShard) {
    self.server = server
    self.shard = shard
  }

  func open() throws(SystemError) { try server.open(on: shard.loop, responder: self) }

  func respond(
    to query: RawSpan, isTruncated: Bool, along path: DatagramPath, into reply: UnsafeMutableRawBufferPointer
  ) -> Int {
    shard.beginBatch()
    // What was cut off is not there to be read; the resolver finds that out by itself.
    return shard.receive(query, from: QueryOrigin(path.client, .udp), into: reply) { .datagram(server, path) }.length
  }

  func batchEnded() { shard.settle() }

  func datagramServerClosed(_ server: DatagramServer) {}
}
