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
    receive(datagram, from: sender, at: now, moreFollow: false)
  }

  /// Takes in one datagram of several that came together; see ``receive(_:from:at:)``.
  ///
  /// - Parameter moreFollow: true if others follow at once. A put is then not answered before its signature can be checked
  ///   with others, at ``endBatch()`` at the latest, which must be called in the end.
  public mutating func receive(_ datagram: RawSpan, from sender: Endpoint, at now: Instant, moreFollow: Bool) {
    take(datagram, from: sender, at: now)
    if !moreFollow || waitingPuts.isFull { endBatch() }
  }

  /// Settles what waits since the first datagram that was received with `moreFollow`.
  public mutating func endBatch() {
    if !waitingPuts.isEmpty { settleWaitingPuts() }
  }

  private mutating func take(_ datagram: RawSpan, from sender: Endpoint, at now: Instant) {
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
