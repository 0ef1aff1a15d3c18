import Cryptography

/// Puts that passed every check but that of their signature, which is checked for several of them together.
struct WaitingPuts: Sendable {
  /// One put, and where its datagram was copied to.
  private struct Entry: Sendable {
    let context: QueryContext
    let target: NodeID
    let datagram: Range<Int>
  }

  private var entries: [Entry] = []
  private var bytes: [UInt8] = []
  private var signatures = Ed25519.SignatureGroup()

  /// True if no put waits.
  var isEmpty: Bool { entries.isEmpty }

  /// True if no further put can wait.
  var isFull: Bool { signatures.isFull }

  /// Whether a put of an item of `target` waits.
  func contains(_ target: NodeID) -> Bool { entries.contains { $0.target == target } }

  /// Copies a put. There must be room.
  mutating func add(_ context: QueryContext, _ datagram: RawSpan, target: NodeID, salt: RawSpan, value: RawSpan) {
    let body = context.message.body
    MutableItem.withSignable(seq: body.seq ?? 0, salt: salt, value: value) { message in
      signatures.add(
        signature: datagram.extracting(body.signature), message: message.bytes,
        publicKey: datagram.extracting(body.key))
    }
    let start = bytes.count
    datagram.withUnsafeBytes { bytes.append(contentsOf: $0) }
    entries.append(Entry(context: context, target: target, datagram: start..<bytes.count))
  }

  /// Checks the signatures, hands on each put with its verdict, in the order in which they came, and forgets them.
  mutating func settle(_ body: (QueryContext, _ datagram: RawSpan, _ target: NodeID, _ isValid: Bool) -> Void) {
    let verdicts = signatures.verify()
    for (index, entry) in entries.enumerated() {
      body(entry.context, bytes.span.bytes.extracting(entry.datagram), entry.target, verdicts[index])
    }
    entries.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
  }
}
