import Cryptography

extension FuzzTarget {
  /// Up to eight signatures in a group, decided as libsodium decides each of them.
  ///
  /// Each takes ten bytes of the input: who signs, and three times what is changed, where and to what. The rest of the input
  /// is the message of all.
  static let signatureGroup = FuzzTarget(name: "signature-group", maximumLength: 1200) { input in
    let count = min(8, input.count / 10)
    let message = [UInt8](input.dropFirst(count * 10))
    var group = Ed25519.SignatureGroup()
    var expected: [Bool] = []
    for index in 0..<count {
      let member = HostileSignature(Array(input[index * 10..<index * 10 + 10]), message)
      let (signature, key) = (member.signature.span.bytes, member.key.span.bytes)
      group.add(signature: signature, message: member.message.span.bytes, publicKey: key)
      expected.append(Ed25519.isValid(signature: signature, message: member.message.span.bytes, publicKey: key))
    }
    let verdicts = group.verify()
    for index in 0..<count {
      require(
        verdicts[index] == expected[index], "signature \(index): \(verdicts[index]), libsodium \(expected[index])")
    }
  }
}

/// A signature as its maker or somebody on the way could have changed it.
private struct HostileSignature {
  private(set) var signature: [UInt8]
  private(set) var key: [UInt8]
  private(set) var message: [UInt8]

  private static let signers = (0..<8).map { Ed25519.SecretKey(seed: [UInt8](repeating: $0, count: 32))! }
  /// The order of the base point.
  private static let order: [UInt8] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0,
    0,
    0, 0, 0, 0, 0, 0, 0, 0x10,
  ]

  init(_ control: [UInt8], _ message: [UInt8]) {
    let signer = Self.signers[Int(control[0] & 7)]
    self.message = message
    signature = signer.signature(for: message.span.bytes).bytes
    key = signer.publicKey.bytes
    for start in [1, 4, 7] { change((control[start], control[start + 1], control[start + 2])) }
  }

  private mutating func change(_ step: (kind: UInt8, place: UInt8, value: UInt8)) {
    let place = Int(step.place)
    switch step.kind & 7 {
    case 1: signature[place % 64] ^= step.value
    case 2: key[place % 32] ^= step.value
    case 3 where !message.isEmpty: message[place % message.count] ^= step.value
    case 4: addOrder()
    case 5: signature.replaceSubrange(0..<32, with: Self.smallNumber(step))
    case 6: key = Self.smallNumber(step)
    case 7: signature.replaceSubrange(32..<64, with: Self.smallNumber(step))
    default: break
    }
  }

  /// S + L, which is the same scalar.
  private mutating func addOrder() {
    var carry = 0
    for index in 0..<32 {
      carry += Int(signature[32 + index]) + Int(Self.order[index])
      signature[32 + index] = UInt8(carry & 255)
      carry >>= 8
    }
  }

  /// A number near 0, or near 2^255 from below: with and without the top bit.
  private static func smallNumber(_ step: (kind: UInt8, place: UInt8, value: UInt8)) -> [UInt8] {
    var number = [UInt8](repeating: step.place & 1 == 0 ? 0 : 0xff, count: 32)
    number[0] = step.value
    if step.place & 2 == 0 { number[31] &= 0x7f } else { number[31] |= 0x80 }
    return number
  }
}
