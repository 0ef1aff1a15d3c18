import Glibc

/// Connections to a server on loopback that have asked for something once and then do nothing.
struct IdleConnections {
  private var sockets: [Int32] = []

  /// Connects, sends the request on each connection and waits for the first bytes of each answer.
  init(count: Int, port: UInt16, request: String) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    for _ in 0..<count {
      let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      var answer = [UInt8](repeating: 0, count: 4096)
      guard connected == 0, send(socket, request, request.utf8.count, 0) == request.utf8.count,
        recv(socket, &answer, answer.count, 0) > 0
      else { fatalError("connection \(sockets.count): \(String(cString: strerror(errno)))") }
      sockets.append(socket)
    }
  }

  func close() { for socket in sockets { Glibc.close(socket) } }
}
