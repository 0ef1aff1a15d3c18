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
  /// Which candidates named it; none: it comes out of our own table.
  var sources = CandidateSources()
  var state = State.unasked
  /// Of those that it named itself: how many were silent, and how many answered.
  var silentNames: UInt8 = 0
  var answeringNames: UInt8 = 0
  /// What it gave us to write with (BEP 5).
  var token: [UInt8]?
  /// It answered well enough to be trusted with an item.
  var isStorable = false
  /// The seq of the item that it holds, if it named one.
  var returnedSeq: Int64?

  /// Whom it names, as a rule, is not there: one who invents neighbours, or knows only old ones.
  var namesInVain: Bool { silentNames >= 2 && Int(answeringNames) * 3 < Int(silentNames) }
}

/// The first few candidates that named another one.
struct CandidateSources: Sendable {
  private static let capacity = 4

  private var numbers = InlineArray<4, UInt8>(repeating: 0)
  private var count: UInt8 = 0

  /// Nobody, or one.
  init(_ first: Int? = nil) { if let first { insert(first) } }

  var isEmpty: Bool { count == 0 }
  var first: Int? { isEmpty ? nil : Int(numbers[0]) }

  mutating func insert(_ number: Int) {
    guard count < Self.capacity, !contains(where: { $0 == number }) else { return }
    numbers[Int(count)] = UInt8(number)
    count += 1
  }

  func contains(where isWanted: (Int) -> Bool) -> Bool {
    for index in 0..<Int(count) where isWanted(Int(numbers[index])) { return true }
    return false
  }

  func forEach(_ body: (Int) -> Void) { for index in 0..<Int(count) { body(Int(numbers[index])) } }
}
