/// What has happened in a simulated network.
public struct SimulationStatistics: Sendable, Hashable {
  /// Datagrams that nodes and scripted peers sent.
  public var sent: UInt64 = 0
  /// Their bytes.
  public var bytesSent: UInt64 = 0
  /// Bytes of the largest.
  public var largestDatagram = 0
  /// Datagrams handed to a node or peer.
  public var delivered: UInt64 = 0
  /// Datagrams that the network lost.
  public var lost: UInt64 = 0
  /// Datagrams that arrived twice.
  public var duplicated: UInt64 = 0
  /// Datagrams that arrived damaged.
  public var corrupted: UInt64 = 0
  /// Datagrams to an endpoint where nobody is.
  public var undeliverable: UInt64 = 0
  /// Datagrams that a router with address translation did not let in.
  public var blocked: UInt64 = 0
  /// Deadlines of nodes that came.
  public var deadlines: UInt64 = 0
}
