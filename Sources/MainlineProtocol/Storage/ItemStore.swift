import Addresses
import Cryptography
import WireFormat

/// What others stored at this node (BEP 44): mutable and immutable items, each bounded, ranked as ``ItemShelf`` says.
///
/// The store decides about seq and cas; tokens, sizes and signatures are the server's business. An item costs its value
/// and about 350 bytes: less than 1.5 kB even at the largest.
struct ItemStore: Sendable {
  /// A mutable item as it came: `k`, `seq`, `sig` and the encoded `v`.
  struct Mutable: Sendable {
    fileprivate let key: (UInt64, UInt64, UInt64, UInt64)
    /// The version.
    let seq: Int64
    /// The signature, verified when the item came.
    let signature: Ed25519.Signature
    /// The value, bencoded.
    let value: [UInt8]

    fileprivate init(key: RawSpan, seq: Int64, signature: Ed25519.Signature, value: [UInt8]) {
      func word(_ index: Int) -> UInt64 { key.unsafeLoadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
      precondition(key.byteCount == 32)
      self.key = (word(0), word(1), word(2), word(3))
      self.seq = seq
      self.signature = signature
      self.value = value
    }

    /// Lends the 32 bytes of the key.
    func withKey<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { withUnsafeBytes(of: key, body) }
  }

  /// What to do with a put, before its signature is verified.
  enum Verdict: Sendable, Equatable {
    /// Verify the signature, then ``ItemStore/put(key:seq:signature:value:target:from:at:)``.
    case verify
    /// The very same item is stored and was verified then: its age has been reset, answer success.
    case refreshed
    /// 301: `cas` names another seq than the stored one.
    case casMismatch
    /// 302: the seq is below the stored one, or equal with another value.
    case seqTooLow
    /// 202: there is no room for this item, or not for this writer.
    case noRoom
  }

  private let lifetime: Duration?
  private var mutable: ItemShelf<Mutable>
  private var immutable: ItemShelf<[UInt8]>

  /// - Parameter limitsSources: whether one network may hold only a twentieth; false on an isolated network.
  init(limits: StorageLimits, ownID: NodeID, limitsSources: Bool) {
    lifetime = limits.itemLifetime
    mutable = ItemShelf(capacity: limits.mutableItems, ownID: ownID, limitsSources: limitsSources)
    immutable = ItemShelf(capacity: limits.immutableItems, ownID: ownID, limitsSources: limitsSources)
  }

  /// Number of mutable items.
  var mutableCount: Int { mutable.count }
  /// Number of immutable items.
  var immutableCount: Int { immutable.count }

  /// The mutable item of a target.
  @inline(__always)
  func mutableItem(_ target: NodeID) -> Mutable? { mutable.payload(of: target) }

  /// The encoded value of an immutable item.
  @inline(__always)
  func immutableValue(_ target: NodeID) -> [UInt8]? { immutable.payload(of: target) }

  /// When the mutable item was put first and last.
  func putTimes(_ target: NodeID) -> (first: Instant, last: Instant)? { mutable.putTimes(of: target) }

  /// Compares a mutable put with what is stored: everything that needs no signature check, and cas before seq.
  mutating func judge(
    target: NodeID, seq: Int64, value: RawSpan, signature: RawSpan, cas: Int64?, from source: IPAddress, at now: Instant
  ) -> Verdict {
    guard let stored = mutable.payload(of: target) else {
      return mutable.refusal(of: target, from: source, at: now) == nil ? .verify : .noRoom
    }
    if let cas, cas != stored.seq { return .casMismatch }
    if seq < stored.seq { return .seqTooLow }
    if seq > stored.seq { return .verify }
    guard value.withUnsafeBytes({ $0.elementsEqual(stored.value) }) else { return .seqTooLow }
    let isSame = signature.withUnsafeBytes { new in stored.signature.withUnsafeBytes { $0.elementsEqual(new) } }
    guard isSame else { return .verify }
    mutable.refresh(target, from: source, at: now)
    return .refreshed
  }

  /// Stores a mutable item whose signature was verified. False if there is no room.
  mutating func put(
    key: RawSpan, seq: Int64, signature: RawSpan, value: RawSpan, target: NodeID, from source: IPAddress,
    at now: Instant
  ) -> Bool {
    guard key.byteCount == 32, let signature = Ed25519.Signature(signature) else { return false }
    let item = Mutable(key: key, seq: seq, signature: signature, value: [UInt8](value))
    do throws(ItemShelf<Mutable>.Refusal) {
      try mutable.put(item, target: target, from: source, at: now)
      return true
    } catch {
      return false
    }
  }

  /// Whether an immutable item could be stored now.
  mutating func hasRoom(forImmutable target: NodeID, from source: IPAddress, at now: Instant) -> Bool {
    immutable.refusal(of: target, from: source, at: now) == nil
  }

  /// Stores an immutable item, or resets its age. False if there is no room.
  mutating func put(immutable value: RawSpan, target: NodeID, from source: IPAddress, at now: Instant) -> Bool {
    if immutable.payload(of: target) != nil {
      immutable.refresh(target, from: source, at: now)
      return true
    }
    guard immutable.refusal(of: target, from: source, at: now) == nil else { return false }
    do throws(ItemShelf<[UInt8]>.Refusal) {
      try immutable.put([UInt8](value), target: target, from: source, at: now)
      return true
    } catch {
      return false
    }
  }

  /// Forgets items whose lifetime is over, if they have one.
  mutating func expire(at now: Instant) {
    guard let lifetime else { return }
    mutable.expire(after: lifetime, at: now)
    immutable.expire(after: lifetime, at: now)
  }

  /// Ranks the items anew after the node's id has changed.
  mutating func rank(for ownID: NodeID) {
    mutable.rank(for: ownID)
    immutable.rank(for: ownID)
  }
}
