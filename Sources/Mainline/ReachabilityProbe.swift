import Addresses
import EventLoops

/// A socket on an ephemeral port that sends one datagram to our own public endpoint: whether it comes in at the node's
/// socket tells whether others can reach the node.
///
/// It stays open for a while, so that the answer does not meet a closed port. Used on the loop's thread only.
final class ReachabilityProbe: UDPSocketHandler {
  private let socket: UDPSocket
  private(set) var isDone = false
  private static let lifetime = Duration.seconds(5)

  init(from address: IPAddress, on loop: EventLoop) throws(SystemError) {
    socket = try UDPSocket(boundTo: Endpoint(address, port: 0))
    try socket.open(on: loop, handler: self)
    loop.schedule(after: Self.lifetime) { [weak self] in self?.close() }
  }

  func send(_ datagram: [UInt8], to endpoint: Endpoint) {
    datagram.withUnsafeBytes { socket.send($0, to: endpoint) }
  }

  func close() {
    isDone = true
    socket.close()
  }

  func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {}
  func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {}
  func socketClosed(_ socket: UDPSocket) { isDone = true }
}
