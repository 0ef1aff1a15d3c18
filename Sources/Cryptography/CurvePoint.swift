/// The one question about edwards25519 that libsodium answers differently from the network: is this a point at all?
enum CurvePoint {
  /// True if y (255 bits, little-endian, reduced modulo p = 2²⁵⁵ − 19) has an x with −x² + y² = 1 + d·x²·y²: that is, if
  /// (y² − 1)/(d·y² + 1) is a square modulo p.
  static func isDecompressible(_ words: Words32) -> Bool {
    let y = FieldElement(littleEndian: words)
    let square = y * y
    let u = square - .one
    let v = square * .d + .one
    // u/v is a square exactly if u·v is: both have the same quadratic character, and v is never zero (−1/d is no square).
    let product = u * v
    return product.isZero || product.eulerCriterion == .one
  }
}

/// GF(2²⁵⁵ − 19) in four 64-bit limbs, always fully reduced. Not constant-time: for public data only.
private struct FieldElement: Equatable {
  private var limbs: (UInt64, UInt64, UInt64, UInt64)

  static let one = FieldElement((1, 0, 0, 0))
  /// −121665/121666, the curve's constant (RFC 8032 §5.1).
  static let d = FieldElement(
    (0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73))

  private init(_ limbs: (UInt64, UInt64, UInt64, UInt64)) { self.limbs = limbs }

  init(littleEndian words: Words32) {
    self.init(
      (
        UInt64(littleEndian: words.a), UInt64(littleEndian: words.b), UInt64(littleEndian: words.c),
        UInt64(littleEndian: words.d) & ~0 >> 1
      ))
    reduceOnce()
  }

  static func == (a: Self, b: Self) -> Bool { a.limbs == b.limbs }

  var isZero: Bool { limbs == (0, 0, 0, 0) }

  /// Subtracts p if the value is not below it.
  private mutating func reduceOnce() {
    let (a, carryA) = limbs.0.addingReportingOverflow(19)
    let (b, carryB) = limbs.1.addingReportingOverflow(carryA ? 1 : 0)
    let (c, carryC) = limbs.2.addingReportingOverflow(carryB ? 1 : 0)
    let d = limbs.3 &+ (carryC ? 1 : 0)
    if d >> 63 == 1 { limbs = (a, b, c, d & ~0 >> 1) }
  }

  static func + (x: Self, y: Self) -> Self {
    var sum = x
    var carry = false
    (sum.limbs.0, carry) = add(x.limbs.0, y.limbs.0, carry)
    (sum.limbs.1, carry) = add(x.limbs.1, y.limbs.1, carry)
    (sum.limbs.2, carry) = add(x.limbs.2, y.limbs.2, carry)
    (sum.limbs.3, carry) = add(x.limbs.3, y.limbs.3, carry)
    sum.reduceOnce()
    return sum
  }

  static func - (x: Self, y: Self) -> Self {
    // p − y is at most p, so the sum stays below 2²⁵⁶.
    let p: (UInt64, UInt64, UInt64, UInt64) = (~0 - 18, ~0, ~0, ~0 >> 1)
    var negated = y
    var borrow = false
    (negated.limbs.0, borrow) = subtract(p.0, y.limbs.0, borrow)
    (negated.limbs.1, borrow) = subtract(p.1, y.limbs.1, borrow)
    (negated.limbs.2, borrow) = subtract(p.2, y.limbs.2, borrow)
    (negated.limbs.3, borrow) = subtract(p.3, y.limbs.3, borrow)
    negated.reduceOnce()
    return x + negated
  }

  static func * (x: Self, y: Self) -> Self {
    var product = InlineArray<8, UInt64>(repeating: 0)
    let xs: InlineArray<4, UInt64> = [x.limbs.0, x.limbs.1, x.limbs.2, x.limbs.3]
    let ys: InlineArray<4, UInt64> = [y.limbs.0, y.limbs.1, y.limbs.2, y.limbs.3]
    for i in 0..<4 {
      var carry: UInt64 = 0
      for j in 0..<4 {
        (product[i + j], carry) = multiplyAdd(xs[i], ys[j], product[i + j], carry)
      }
      product[i + 4] = carry
    }
    // 2²⁵⁶ ≡ 38: fold the upper half in, then what that carries, then the top bit (2²⁵⁵ ≡ 19).
    var carry: UInt64 = 0
    for i in 0..<4 { (product[i], carry) = multiplyAdd(product[i + 4], 38, product[i], carry) }
    var extra = carry &* 38
    for i in 0..<4 {
      let (sum, overflow) = product[i].addingReportingOverflow(extra)
      product[i] = sum
      extra = overflow ? 1 : 0
    }
    if extra == 1 { product[0] &+= 38 }  // cannot carry: the fold left less than 38 · 38 above
    var result = FieldElement((product[0], product[1], product[2], product[3] & ~0 >> 1))
    if product[3] >> 63 == 1 { result = result + FieldElement((19, 0, 0, 0)) }
    result.reduceOnce()
    return result
  }

  /// self^((p − 1)/2): 1 for squares, −1 for the rest. The exponent is 2²⁵⁴ − 10.
  var eulerCriterion: Self {
    // 2²⁵⁴ − 10 = 0b111…10110: 250 ones, then 0110 (bits 3 to 0).
    var power = self
    for bit in (0..<253).reversed() {
      power = power * power
      if bit >= 4 || bit == 1 || bit == 2 { power = power * self }
    }
    return power
  }

  private static func add(_ x: UInt64, _ y: UInt64, _ carry: Bool) -> (UInt64, Bool) {
    let (sum, first) = x.addingReportingOverflow(y)
    let (total, second) = sum.addingReportingOverflow(carry ? 1 : 0)
    return (total, first || second)
  }

  private static func subtract(_ x: UInt64, _ y: UInt64, _ borrow: Bool) -> (UInt64, Bool) {
    let (difference, first) = x.subtractingReportingOverflow(y)
    let (total, second) = difference.subtractingReportingOverflow(borrow ? 1 : 0)
    return (total, first || second)
  }

  /// x·y + addend + carry as (low, high); cannot overflow.
  private static func multiplyAdd(
    _ x: UInt64, _ y: UInt64, _ addend: UInt64, _ carry: UInt64
  ) -> (UInt64, UInt64) {
    let (high, low) = x.multipliedFullWidth(by: y)
    let (first, overflowA) = low.addingReportingOverflow(addend)
    let (second, overflowB) = first.addingReportingOverflow(carry)
    return (second, high &+ (overflowA ? 1 : 0) &+ (overflowB ? 1 : 0))
  }
}
