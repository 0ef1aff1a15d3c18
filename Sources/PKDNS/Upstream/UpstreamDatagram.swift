import Addresses
import EventLoops

/// One question as a datagram, from a port of its own that the system chose at random: who wants to forge the answer has to
/// guess it, and the identifier, and the case of the letters (RFC 5452 §4).
final class UpstreamDatagram: UDPSocketHandler, UpstreamPath {
  private let attempt: UInt64
  private let server: Endpoint
  private let socket: UDPSocket
  private unowned let client: UpstreamClient

  init(_ attempt: UInt64, to server: Endpoint, for client: UpstreamClient) throws(SystemError) {
    self.attempt = attempt
    self.server = server
    self.client = client
    var options = UDPSocket.Options()
    options.bufferSize = 0
    socket = try UDPSocket(boundTo: Endpoint(server.address.isIPv4 ? .anyV4 : .anyV6, port: 0), options: options)
    try socket.open(on: client.loop, handler: self)
  }

  func send(_ bytes: [UInt8]) { bytes.withUnsafeBytes { socket.send($0, to: server) } }

  func close(_ attempt: UInt64) { socket.close() }

  func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {
    datagrams.forEach { bytes, sender, isTruncated in
      guard sender == server else { return client.countStranger() }
      client.received(attempt, bytes, isCut: isTruncated)
    }
  }

  func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {
    client.failed(attempt, .unreachable(code))
  }

  func socketClosed(_ socket: UDPSocket) {}
}
