import CEd25519
import CSodium
import WireFormat

extension Ed25519 {
  /// Signatures that are checked together, which costs a quarter of checking them one by one where the processor has
  /// AVX-512 IFMA. Elsewhere it costs the same.
  ///
  /// Each signature gets its own verdict, the one of ``Ed25519/isValid(signature:message:publicKey:)``: nothing is combined
  /// at random, so a wrong signature neither spoils its neighbours nor hides among them.
  public struct SignatureGroup: Sendable {
    /// How many signatures a group can hold: one for each lane of the registers.
    public static let capacity = ced25519_lanes

    private var candidates: [Candidate] = []
    /// The messages, one after the other.
    private var messages: [UInt8] = []

    /// Nothing to check.
    public init() {}

    /// How many signatures wait.
    public var count: Int { candidates.count }

    /// True if there is no place for another.
    public var isFull: Bool { candidates.count == Self.capacity }

    /// Copies a signature (64 bytes), its message and its key (32 bytes); of other lengths it will be found invalid.
    /// The group must not be full.
    public mutating func add(signature: RawSpan, message: RawSpan, publicKey: RawSpan) {
      precondition(!isFull, "a group holds \(Self.capacity) signatures")
      let start = messages.count
      message.withUnsafeBytes { messages.append(contentsOf: $0) }
      candidates.append(
        Candidate(
          signature: Signature(signature), key: Words32(publicKey), message: start..<messages.count))
    }

    /// Checks all that wait, and empties the group.
    public mutating func verify() -> Verdicts {
      // The lanes cost what one and a half single checks do, however many of them are in use.
      verify(inLanes: candidates.count > 1 && ced25519_is_optimized())
    }

    /// Checks all that wait in lanes, if the processor has them, or one by one.
    mutating func verify(inLanes: Bool) -> Verdicts {
      defer {
        candidates.removeAll(keepingCapacity: true)
        messages.removeAll(keepingCapacity: true)
      }
      return inLanes && Lanes.areReady ? verifyInLanes() : verifyEach()
    }

    private func verifyEach() -> Verdicts {
      var verdicts = Verdicts()
      for (index, candidate) in candidates.enumerated() where candidate.isValid(messages) { verdicts.insert(index) }
      return verdicts
    }

    private func verifyInLanes() -> Verdicts {
      var acceptable = Verdicts()
      let empty = ced25519_equation()
      return withUnsafeTemporaryAllocation(of: ced25519_equation.self, capacity: Self.capacity) { equations in
        equations.initialize(repeating: empty)
        for (index, candidate) in candidates.enumerated() where candidate.isAcceptable {
          candidate.writeEquation(messages, to: &equations[index])
          acceptable.insert(index)
        }
        return acceptable.intersection(Verdicts(bits: ced25519_verify(equations.baseAddress!)))
      }
    }
  }
}

// MARK: - Verdicts

extension Ed25519.SignatureGroup {
  /// Which signatures of a group are valid, by the order in which they were added.
  public struct Verdicts: Hashable, Sendable {
    private var bits: UInt8 = 0

    fileprivate init(bits: UInt8 = 0) { self.bits = bits }

    /// Whether the signature that was added as number `index` (from 0) is valid.
    public subscript(index: Int) -> Bool { bits >> UInt8(index) & 1 == 1 }

    fileprivate mutating func insert(_ index: Int) { bits |= 1 << UInt8(index) }

    fileprivate func intersection(_ other: Verdicts) -> Verdicts { Verdicts(bits: bits & other.bits) }
  }
}

// MARK: - One signature

/// The tables of the lanes are computed once in a process.
private enum Lanes {
  static let areReady: Bool = {
    guard ced25519_is_supported() else { return false }
    ced25519_prepare()
    return true
  }()
}

/// A signature that waits; a part of a wrong length is nil.
private struct Candidate: Sendable {
  let signature: Ed25519.Signature?
  let key: Words32?
  let message: Range<Int>

  /// One check by libsodium.
  func isValid(_ messages: [UInt8]) -> Bool {
    guard let signature, let key else { return false }
    let message = messages.span.bytes.extracting(message)
    return signature.withUnsafeBytes { signature in
      withUnsafeBytes(of: key) {
        Ed25519.isValid(signature: signature.bytes, message: message, publicKey: $0.bytes)
      }
    }
  }

  /// What libsodium looks at before it computes anything: S is below the order of the base point, neither R nor the key is
  /// of small order, and the key's encoding is the canonical one.
  var isAcceptable: Bool {
    guard let signature, let key else { return false }
    return signature.s.isScalar && !signature.r.isOfSmallOrder && !key.isOfSmallOrder && key.isCanonical
  }

  /// Hashes the message.
  func writeEquation(_ messages: [UInt8], to equation: inout ced25519_equation) {
    guard let signature, let key else { return }
    var state = crypto_hash_sha512_state()
    crypto_hash_sha512_init(&state)
    withUnsafeBytes(of: (signature.r, key)) { update(&state, $0) }
    messages.withUnsafeBytes { update(&state, UnsafeRawBufferPointer(rebasing: $0[message])) }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { digest in
      crypto_hash_sha512_final(&state, digest.baseAddress!)
      withUnsafeMutableBytes(of: &equation.k) {
        crypto_core_ed25519_scalar_reduce($0.assumingMemoryBound(to: UInt8.self).baseAddress!, digest.baseAddress!)
      }
    }
    copy(key, to: &equation.key)
    copy(signature.r, to: &equation.r)
    copy(signature.s, to: &equation.s)
  }

  private func update(_ state: inout crypto_hash_sha512_state, _ bytes: UnsafeRawBufferPointer) {
    // Without an address there are no bytes.
    guard let start = bytes.assumingMemoryBound(to: UInt8.self).baseAddress else { return }
    crypto_hash_sha512_update(&state, start, UInt64(bytes.count))
  }

  private func copy<Bytes>(_ words: Words32, to bytes: inout Bytes) {
    withUnsafeMutableBytes(of: &bytes) { bytes in withUnsafeBytes(of: words) { bytes.copyMemory(from: $0) } }
  }
}

// MARK: - Encodings that are refused

extension Words32 {
  /// True of a number below L, the order of the base point (RFC 8032 §5.1).
  fileprivate var isScalar: Bool {
    (d, c, b, a) < (0x1000_0000_0000_0000, 0, 0x14de_f9de_a2f7_9cd6, 0x5812_631a_5cf5_d3ed)
  }

  /// The y-coordinate of an encoded point.
  private var y: Words32 { Words32(a, b, c, d & .max >> 1) }

  /// True if the y-coordinate is below p = 2^255 − 19.
  fileprivate var isCanonical: Bool { !(y.d == .max >> 1 && c == .max && b == .max && a >= .max - 18) }

  /// True of the encodings of the eight points whose order divides the cofactor; the non-canonical ones among them aside.
  fileprivate var isOfSmallOrder: Bool {
    let y = y
    return y == Self.zero || y == Self.one || y == Self.minusOne || y == Self.firstOfOrder8 || y == Self.secondOfOrder8
  }

  /// Two points of order 4.
  private static let zero = Words32()
  /// The neutral element.
  private static let one = Words32(1, 0, 0, 0)
  /// The point of order 2.
  private static let minusOne = Words32(.max - 19, .max, .max, .max >> 1)
  private static let firstOfOrder8 = Words32(
    0xb027_b2c2_8f95_e826, 0xf098_eff2_89f4_c345, 0x3933_c6d3_05ac_dfd5, 0x05fc_536d_8802_38b1)
  private static let secondOfOrder8 = Words32(
    0x4fd8_4d3d_706a_17c7, 0x0f67_100d_760b_3cba, 0xc6cc_392c_fa53_202a, 0x7a03_ac92_77fd_c74e)
}
