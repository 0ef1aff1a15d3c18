import TestSupport
import Testing
import WireFormat

@testable import Cryptography

@Suite struct SignatureGroupTests {
  private struct Signed {
    var signature: [UInt8]
    var message: [UInt8]
    var key: [UInt8]

    var isValid: Bool {
      Ed25519.isValid(signature: signature.span.bytes, message: message.span.bytes, publicKey: key.span.bytes)
    }
  }

  private func verdicts(_ members: [Signed]) -> [Bool] {
    var group = Ed25519.SignatureGroup()
    for member in members {
      group.add(
        signature: member.signature.span.bytes, message: member.message.span.bytes, publicKey: member.key.span.bytes)
    }
    #expect(group.count == members.count)
    // Both ways, whichever this build and processor would take.
    var other = group
    let verdicts = group.verify(inLanes: true)
    #expect(group.count == 0)
    #expect(other.verify(inLanes: false) == verdicts)
    return members.indices.map { verdicts[$0] }
  }

  private func signed(_ messageLength: Int, _ random: inout RandomSource) -> Signed {
    let secret = Ed25519.SecretKey(seed: random.bytes(32))!
    let message = random.bytes(messageLength)
    let signature = secret.signature(for: message.span.bytes).bytes
    return Signed(signature: signature, message: message, key: secret.publicKey.bytes)
  }

  @Test("groups of each size find what is valid, wherever it stands")
  func sizes() {
    var random = RandomSource(seed: 11)
    for count in 0...Ed25519.SignatureGroup.capacity {
      let members = (0..<count).map { signed($0 * 150, &random) }
      #expect(verdicts(members) == Array(repeating: true, count: count))
      for wrong in 0..<count {
        var damaged = members
        damaged[wrong].signature[wrong * 7] ^= 1
        #expect(verdicts(damaged) == (0..<count).map { $0 != wrong })
      }
    }
  }

  @Test("a group can be used again, and one that is full says so")
  func reuse() {
    var random = RandomSource(seed: 12)
    var group = Ed25519.SignatureGroup()
    for round in 0..<3 {
      for index in 0..<Ed25519.SignatureGroup.capacity {
        #expect(!group.isFull)
        let member = signed(100, &random)
        let message = index == round ? [1, 2, 3] : member.message
        group.add(
          signature: member.signature.span.bytes, message: message.span.bytes, publicKey: member.key.span.bytes)
      }
      #expect(group.isFull)
      let verdicts = group.verify()
      #expect((0..<8).map { verdicts[$0] } == (0..<8).map { $0 != round })
    }
  }

  @Test("parts of other lengths are never valid, and harm no neighbour")
  func lengths() {
    var random = RandomSource(seed: 13)
    for length in [0, 1, 31, 33, 63, 65, 96] {
      var members = (0..<4).map { _ in signed(40, &random) }
      members[1].signature = random.bytes(length)
      members[2].key = random.bytes(length)
      #expect(verdicts(members) == [true, false, false, true])
    }
  }

  @Test("the twelve vectors of \"Taming the many EdDSAs\" are decided as one by one")
  func strictness() throws {
    let rows = try Vectors.load(
      "cryptography/eddsa-strictness.json", as: Ed25519Tests.File<Ed25519Tests.StrictnessCase>.self,
      keys: .convertFromSnakeCase
    ).cases
    let members = rows.map {
      Signed(signature: $0.signatureHex.bytes, message: $0.messageHex.bytes, key: $0.publicKeyHex.bytes)
    }
    for start in stride(from: 0, to: 12, by: 6) {
      let found = verdicts(Array(members[start..<start + 6]))
      #expect(found == rows[start..<start + 6].map(\.libsodiumAccepts))
    }
  }

  /// The order of the base point, and encodings of small order or at the edge of what is canonical.
  private static let order: [UInt8] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
  private static let oddEncodings: [[UInt8]] = [
    bytes("0000000000000000000000000000000000000000000000000000000000000000"),
    bytes("0100000000000000000000000000000000000000000000000000000000000000"),
    bytes("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes("0200000000000000000000000000000000000000000000000000000000000000"),
  ]

  /// Leaves a signature alone or changes it the way an attacker would.
  private func damage(_ member: inout Signed, _ random: inout RandomSource) {
    var odd = Self.oddEncodings.randomElement(using: &random)!
    if Bool.random(using: &random) { odd[31] |= 0x80 }
    switch Int.random(in: 0..<10, using: &random) {
    case 0: member.signature[Int.random(in: 0..<64, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: member.key[Int.random(in: 0..<32, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2: member.message.append(0)
    case 3:
      // S + L is the same scalar.
      var carry = 0
      for index in 0..<32 {
        carry += Int(member.signature[32 + index]) + Int(Self.order[index])
        member.signature[32 + index] = UInt8(carry & 255)
        carry >>= 8
      }
    case 4: member.signature.replaceSubrange(0..<32, with: odd)
    case 5: member.key = odd
    case 6:
      // With a key of small order and S = 0, R is of small order as well: true equations that are refused.
      member.key = odd
      member.signature = Self.oddEncodings.randomElement(using: &random)! + [UInt8](repeating: 0, count: 32)
    case 7: member.signature = random.bytes(64)
    default: break
    }
  }

  @Test("hundreds of hostile groups are decided as libsodium decides each signature")
  func hostileGroups() {
    var random = RandomSource(seed: 14)
    let valid = (0..<32).map { _ in signed(Int.random(in: 0...1100, using: &random), &random) }
    var accepted = 0
    for number in 0..<600 {
      var members = (0..<Int.random(in: 2...8, using: &random)).map { _ in valid.randomElement(using: &random)! }
      for index in members.indices { damage(&members[index], &random) }
      let found = verdicts(members)
      #expect(found == members.map(\.isValid), "group \(number)")
      accepted += found.count { $0 }
    }
    // Both verdicts occur often enough to mean something.
    #expect((300...1500).contains(accepted), "\(accepted)")
  }
}

private func bytes(_ text: String) -> [UInt8] { Hex.decode(text)! }
