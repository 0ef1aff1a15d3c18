import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// True if ``takeUpPostponed(atMost:now:wallClock:)`` has something to do.
  public var hasPostponed: Bool { !postponed.isEmpty }

  /// Begins what ``receive(_:from:now:wallClock:postponesWork:into:)`` has put aside, the oldest first.
  ///
  /// - Parameter limit: how many queries are taken up.
  public func takeUpPostponed(atMost limit: Int, now: Instant, wallClock: Timestamp) {
    (self.now, self.wallClock) = (now, wallClock)
    for _ in 0..<limit {
      guard let id = postponed.popFirst() else { return }
      if let waiting = pending[id] { takeUp(waiting, id) }
    }
  }

  func postpone(
    _ query: ClientQuery, _ question: RawSpan, from origin: QueryOrigin, _ writer: ReplyWriter,
    into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition {
    guard let id = beginWaiting(query, question, origin) else { return refuseToWait(question, writer, into: reply) }
    postponed.append(id)
    return .pending(id)
  }

  private func takeUp(_ waiting: PendingQuery, _ id: PendingQueryID) {
    let question = waiting.question.span.bytes
    let variant = variant(of: waiting.query, from: waiting.origin)
    let writer = writer(for: waiting)
    scratch.set(question)
    withUnsafeTemporaryAllocation(byteCount: writer.limit, alignment: 8) { reply in
      // Others may have had the same question in the meantime.
      let disposition =
        serveReady(waiting.query, variant, question, writer, into: reply)
        ?? resolve(waiting.query, variant, question, from: waiting.origin, writer, postponed: id, into: reply)
      switch disposition {
      case .pending: break
      case .reply(let count):
        _ = takePending(id)
        actions.append(.answer(id, [UInt8](reply[..<count])))
      case .drop:
        // There is room for an answer in any case, so this does not happen; if it did, the query would not wait for ever.
        expire(id)
      }
    }
  }
}
