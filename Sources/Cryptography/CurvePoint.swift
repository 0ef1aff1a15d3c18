/// The one question about edwards25519 that libsodium answers differently from the network: is this a point at all?
enum CurvePoint {
  /// True if y (255 bits, little-endian, reduced modulo p = 2²⁵⁵ − 19) has an x with −x² + y² = 1 + d·x²·y²: that is, if
  /// (y² − 1)/(d·y² + 1) is a square modulo p.
  static func isDecompressible(_ words: Words32) -> Bool {
    let y = FieldElement(littleEndian: words)
    let square = y.squared()
    // u/v is a square exactly if u·v is: both have the same quadratic character, and v is never zero (−1/d is no square).
    let product = (square - .one) * (square * .d + .one)
    return product.isZero || product.eulerCriterion.isOne
  }
}

/// GF(2²⁵⁵ − 19) in five limbs of 51 bits. Not constant-time: for public data only.
///
/// A product has limbs below 2⁵². One addition or subtraction of products keeps them below 2⁵⁴, which is what a
/// multiplication can take: its largest sum is 77 · 2¹⁰⁸, and that of the top limb 5 · 2¹⁰⁸.
private struct FieldElement {
  private var a: UInt64
  private var b: UInt64
  private var c: UInt64
  private var d: UInt64
  private var e: UInt64

  private static let mask: UInt64 = 1 << 51 - 1

  static let one = FieldElement(1, 0, 0, 0, 0)
  /// −121665/121666, the curve's constant (RFC 8032 §5.1).
  static let d = FieldElement(
    littleEndian: Words32(
      0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73))

  private init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64) {
    self.a = a
    self.b = b
    self.c = c
    self.d = d
    self.e = e
  }

  /// Takes the low 255 bits.
  init(littleEndian words: Words32) {
    let (w, x, y, z) = (
      UInt64(littleEndian: words.a), UInt64(littleEndian: words.b), UInt64(littleEndian: words.c),
      UInt64(littleEndian: words.d)
    )
    a = w & Self.mask
    b = (w &>> 51 | x &<< 13) & Self.mask
    c = (x &>> 38 | y &<< 26) & Self.mask
    d = (y &>> 25 | z &<< 39) & Self.mask
    e = (z &>> 12) & Self.mask
  }

  static func + (x: Self, y: Self) -> Self {
    FieldElement(x.a &+ y.a, x.b &+ y.b, x.c &+ y.c, x.d &+ y.d, x.e &+ y.e)
  }

  static func - (x: Self, y: Self) -> Self {
    // 4p is added so that no limb goes below zero.
    let low: UInt64 = 1 << 53 - 76
    let other: UInt64 = 1 << 53 - 4
    return FieldElement(
      x.a &+ low &- y.a, x.b &+ other &- y.b, x.c &+ other &- y.c, x.d &+ other &- y.d, x.e &+ other &- y.e)
  }

  @inline(__always)
  private static func wide(_ x: UInt64, _ y: UInt64) -> UInt128 { UInt128(x) &* UInt128(y) }

  @inline(__always)
  static func * (x: Self, y: Self) -> Self {
    // 2²⁵⁵ ≡ 19: what would be limb 5 and above comes back 19 times at the bottom.
    let (b19, c19, d19, e19) = (y.b &* 19, y.c &* 19, y.d &* 19, y.e &* 19)
    return carried(
      wide(x.a, y.a) &+ wide(x.b, e19) &+ wide(x.c, d19) &+ wide(x.d, c19) &+ wide(x.e, b19),
      wide(x.a, y.b) &+ wide(x.b, y.a) &+ wide(x.c, e19) &+ wide(x.d, d19) &+ wide(x.e, c19),
      wide(x.a, y.c) &+ wide(x.b, y.b) &+ wide(x.c, y.a) &+ wide(x.d, e19) &+ wide(x.e, d19),
      wide(x.a, y.d) &+ wide(x.b, y.c) &+ wide(x.c, y.b) &+ wide(x.d, y.a) &+ wide(x.e, e19),
      wide(x.a, y.e) &+ wide(x.b, y.d) &+ wide(x.c, y.c) &+ wide(x.d, y.b) &+ wide(x.e, y.a))
  }

  @inline(__always)
  func squared() -> Self {
    let (a2, b2, c2) = (a &* 2, b &* 2, c &* 2)
    let (d19, e19) = (d &* 19, e &* 19)
    return Self.carried(
      Self.wide(a, a) &+ Self.wide(b2, e19) &+ Self.wide(c2, d19),
      Self.wide(a2, b) &+ Self.wide(c2, e19) &+ Self.wide(d, d19),
      Self.wide(a2, c) &+ Self.wide(b, b) &+ Self.wide(d &* 2, e19),
      Self.wide(a2, d) &+ Self.wide(b2, c) &+ Self.wide(e, e19),
      Self.wide(a2, e) &+ Self.wide(b2, d) &+ Self.wide(c, c))
  }

  /// Brings sums of products below 2⁵², all limbs at the same time: a carry that runs from one to the next would take
  /// longer than the multiplications.
  @inline(__always)
  private static func carried(_ a: UInt128, _ b: UInt128, _ c: UInt128, _ d: UInt128, _ e: UInt128) -> Self {
    // Sums below 2¹¹⁵, e below 2¹¹¹: what is above bit 51 fits into a word, that of e also 19 times.
    let once = FieldElement(
      low(a) &+ 19 &* high(e), low(b) &+ high(a), low(c) &+ high(b), low(d) &+ high(c), low(e) &+ high(d))
    return FieldElement(
      once.a & mask &+ 19 &* (once.e &>> 51), once.b & mask &+ once.a &>> 51, once.c & mask &+ once.b &>> 51,
      once.d & mask &+ once.c &>> 51, once.e & mask &+ once.d &>> 51)
  }

  @inline(__always)
  private static func low(_ sum: UInt128) -> UInt64 { UInt64(truncatingIfNeeded: sum) & mask }

  @inline(__always)
  private static func high(_ sum: UInt128) -> UInt64 { UInt64(truncatingIfNeeded: sum &>> 51) }

  private func squared(times count: Int) -> Self {
    var power = self
    for _ in 0..<count { power = power.squared() }
    return power
  }

  /// self^((p − 1)/2), exponent 2²⁵⁴ − 10: 1 for squares, −1 for the rest.
  var eulerCriterion: Self {
    let square = squared()
    let three = square * self
    let six = three.squared()
    // ones(n) is self^(2ⁿ − 1); ones(m + n) = ones(m)^(2ⁿ) · ones(n).
    let ones2 = three
    let ones4 = ones2.squared(times: 2) * ones2
    let ones5 = ones4.squared() * self
    let ones10 = ones5.squared(times: 5) * ones5
    let ones20 = ones10.squared(times: 10) * ones10
    let ones40 = ones20.squared(times: 20) * ones20
    let ones50 = ones40.squared(times: 10) * ones10
    let ones100 = ones50.squared(times: 50) * ones50
    let ones200 = ones100.squared(times: 100) * ones100
    let ones250 = ones200.squared(times: 50) * ones50
    return ones250.squared(times: 4) * six  // 2²⁵⁴ − 16 + 6
  }

  /// True if a product is 0 modulo p.
  var isZero: Bool { isCongruent(to: 0) }
  /// True if a product is 1 modulo p.
  var isOne: Bool { isCongruent(to: 1) }

  /// Compares a product (limbs below 2⁵², value below 2p) with a small number.
  private func isCongruent(to small: UInt64) -> Bool {
    // The value is at least p exactly if adding 19 carries out of bit 255.
    var carry = (a &+ 19) &>> 51
    for limb in [b, c, d, e] { carry = (limb &+ carry) &>> 51 }
    var remainder = a &+ 19 &* carry
    guard remainder & Self.mask == small else { return false }
    for limb in [b, c, d, e] {
      remainder = limb &+ remainder &>> 51
      if remainder & Self.mask != 0 { return false }
    }
    return true
  }
}
