import Addresses
import Bencode

/// The way in: every datagram passes here.
extension DHTNode {
  /// Takes in one datagram. Whatever its bytes are, the worst that happens is that it is ignored.
  ///
  /// - Parameters:
  ///   - datagram: its payload; longer than 2048 bytes is ignored.
  ///   - sender: where it came from.
  ///   - now: when it came.
  public mutating func receive(_ datagram: RawSpan, from sender: Endpoint, at now: Instant) {
    statistics.datagramsReceived += 1
    statistics.bytesReceived += UInt64(datagram.byteCount)
    let address = sender.address
    guard sender.port != 0, !address.isUnspecified, !address.isMulticast else { return }
    var message = KRPCMessage()
    guard KRPCParser.parse(datagram, into: &message) else {
      statistics.undecodable += 1
      return
    }
    switch message.kind {
    case .query: receiveQuery(message, datagram, from: sender, at: now)
    case .response, .error:
      receiveAnswer(message, datagram, from: sender, at: now)
      dropStaleTimers()
    }
  }
}
