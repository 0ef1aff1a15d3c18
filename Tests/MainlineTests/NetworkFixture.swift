import Addresses
import Cryptography
import EventLoops
import MainlineProtocol
import Testing

@testable import Mainline

/// Runs a body with a network of nodes on loopback, and stops it afterwards.
func withTestnet<T>(
  nodes count: Int, isSeeded: Bool = true, _ body: (Testnet) async throws -> T
) async throws -> T {
  let testnet = try await Testnet(nodes: count, isSeeded: isSeeded)
  do {
    let value = try await body(testnet)
    await testnet.stop()
    return value
  } catch {
    await testnet.stop()
    throw error
  }
}

extension Testnet {
  /// A node that uses the network and does not serve it.
  func client(_ configure: (inout MainlineConfiguration) -> Void = { _ in }) async throws -> MainlineNode {
    var configuration = MainlineConfiguration.isolated(bootstrap: bootstrap)
    configuration.node.mode = .client
    configure(&configuration)
    return try await MainlineNode(configuration)
  }
}

extension MainlineNode {
  /// The node's only endpoint.
  var endpoint: Endpoint { localEndpoints[0] }
}

/// A signed item whose value is a text.
func item(_ key: Ed25519.SecretKey, seq: Int64, _ text: String, salt: String = "") throws -> MutableItem {
  try MutableItem(signedBy: key, seq: seq, bytes: Array(text.utf8), salt: Array(salt.utf8))
}

/// A socket that takes in everything and answers nothing.
final class BlackHole: Sendable {
  let socket: UDPSocket
  var endpoint: Endpoint { socket.localEndpoint }
  var host: HostName { HostName(socket.localEndpoint) }

  init() throws { socket = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0)) }
}
