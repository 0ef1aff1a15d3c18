import EventLoops

/// Where an answer goes that was not ready at once.
enum ReplySink {
  /// A datagram, on the way that the query came.
  case datagram(DatagramServer, DatagramPath)
  /// A message of a stream.
  case stream(StreamClient)
  /// A task that waits, nil once the server ends.
  case task(UnsafeContinuation<[UInt8]?, Never>)
}
