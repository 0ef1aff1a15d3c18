import Addresses

/// A node that a lookup may ask, asks or has asked.
struct Candidate: Sendable {
  enum State: UInt8, Sendable {
    case unasked
    /// Asked, and the answer may still come in time.
    case asked
    /// Its answer is overdue: it holds no place any more, but a late answer counts.
    case late
    case failed
    case answered
  }

  var contact: NodeContact
  /// XOR distance from the target.
  var distance: NodeID
  /// Its id is bound to its address (BEP 42).
  var isSecure: Bool
  /// A bootstrap address, whose id is not known before it answers.
  var isAnonymous: Bool
  /// Which candidate named it first; nil: it comes out of our own table.
  var source: Int?
  var state = State.unasked
  /// What it gave us to write with (BEP 5).
  var token: [UInt8]?
  /// It answered well enough to be trusted with an item.
  var isStorable = false
  /// The seq of the item that it holds, if it named one.
  var returnedSeq: Int64?
}
