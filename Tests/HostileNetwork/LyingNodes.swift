import Addresses
import Cryptography
import EventLoops
import Foundation
import MainlineProtocol

/// Liars on UDP sockets of their own, on a thread of their own.
final class LyingNodes: @unchecked Sendable {
  /// A datagram on its way to a liar.
  private struct Arrival {
    var due: UInt64
    var liar: Int
    var sender: sockaddr_in
    var bytes: [UInt8]
  }

  struct NoSocket: Error { var endpoint: Endpoint }

  /// Where they are.
  let contacts: [NodeContact]
  // On the thread only, once it runs.
  private var liars: [Liar]
  private let sockets: [Int32]
  private var others: [NodeContact] = []
  private var arrivals: [Arrival] = []
  private var line: BadLine
  private let lies = LockedValue(0)

  /// How many answers they have given.
  var answerCount: Int { lies.withLock { $0 } }

  /// Binds the sockets.
  init(at endpoints: [Endpoint], _ line: BadLine) throws {
    liars = endpoints.enumerated().map { index, endpoint in
      Liar(at: endpoint, Liar.Habit.allCases[index % Liar.Habit.allCases.count], seed: UInt64(1000 + index))
    }
    contacts = liars.map(\.contact)
    self.line = line
    sockets = try endpoints.map { endpoint in
      let socket = Self.bound(to: endpoint)
      guard socket >= 0 else { throw NoSocket(endpoint: endpoint) }
      return socket
    }
  }

  private static func bound(to endpoint: Endpoint) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = endpoint.port.bigEndian
    address.sin_addr.s_addr = endpoint.address.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return result == 0 ? descriptor : -1
  }

  /// Lets them lie until the process ends. They name `honest` nodes now and then, and each other.
  func start(naming honest: [NodeContact]) {
    others = honest + contacts
    Thread.detachNewThread { [self] in
      while true { turn() }
    }
  }

  private func turn() {
    var descriptors = sockets.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    _ = poll(&descriptors, nfds_t(descriptors.count), arrivals.isEmpty ? 50 : 2)
    for (index, descriptor) in descriptors.enumerated() where descriptor.revents != 0 { receive(index) }
    let now = BadLine.now
    let due = arrivals.filter { $0.due <= now }
    arrivals.removeAll { $0.due <= now }
    for arrival in due { answer(arrival) }
  }

  private func receive(_ index: Int) {
    var buffer = [UInt8](repeating: 0, count: 2048)
    while true {
      var sender = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let count = withUnsafeMutablePointer(to: &sender) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          recvfrom(sockets[index], &buffer, buffer.count, 0, $0, &length)
        }
      }
      guard count > 0 else { return }
      guard let delay = line.delay() else { continue }
      arrivals.append(
        Arrival(due: BadLine.now + delay.clamped, liar: index, sender: sender, bytes: Array(buffer[..<count])))
    }
  }

  private func answer(_ arrival: Arrival) {
    let host = UInt32(bigEndian: arrival.sender.sin_addr.s_addr)
    let address = IPAddress(
      UInt8(host >> 24), UInt8(host >> 16 & 255), UInt8(host >> 8 & 255), UInt8(host & 255))
    let endpoint = Endpoint(address, port: UInt16(bigEndian: arrival.sender.sin_port))
    var sender = arrival.sender
    let answers = liars[arrival.liar].answers(to: arrival.bytes, from: endpoint, naming: others)
    lies.withLock { $0 += answers.count }
    for bytes in answers {
      _ = withUnsafePointer(to: &sender) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          sendto(sockets[arrival.liar], bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
  }
}
