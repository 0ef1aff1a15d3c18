import Addresses

/// What happens to a datagram on its way to a node of a test network.
public enum PacketFate: Hashable, Sendable {
  /// It arrives.
  case delivered
  /// It is lost.
  case dropped
  /// It arrives twice.
  case duplicated
  /// It arrives later, and so after others that were sent after it.
  case delayed(Duration)
}

/// Decides about each datagram that reaches a node, for tests of bad networks. Called on the node's event loop.
public typealias PacketFilter = @Sendable (_ sender: Endpoint, _ receiver: Endpoint, _ byteCount: Int) -> PacketFate
