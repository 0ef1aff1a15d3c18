import Addresses
import Cryptography
import Testing
import WireFormat

@testable import MainlineProtocol

@Suite("Write tokens")
struct TokenIssuerTests {
  private let start = Instant(nanoseconds: 77_000_000_123)
  private let writer = IPAddress(198, 51, 100, 7)
  private let target = NodeID(Array(1...20))!

  private func bytes(_ token: UInt64) -> [UInt8] { [UInt8](upTo: 8) { $0.write(token) }! }

  private func issuer(seed: UInt64 = 1) -> TokenIssuer {
    var random = RandomSource(seed: seed)
    return TokenIssuer(random: &random, at: start)
  }

  private func accepts(
    _ issuer: TokenIssuer, _ token: [UInt8], from address: IPAddress? = nil, target: NodeID? = nil, after age: Duration
  ) -> Bool {
    issuer.isValid(
      token.span.bytes, from: address ?? writer, target: target ?? self.target, at: start.advanced(by: age))
  }

  @Test("a token is valid for five to ten minutes, whatever happens in between")
  func lifetime() {
    let issuer = issuer()
    let early = bytes(issuer.token(for: writer, target: target, at: start))
    #expect(accepts(issuer, early, after: .zero))
    #expect(accepts(issuer, early, after: .seconds(599)))
    #expect(!accepts(issuer, early, after: .seconds(600)))
    let late = bytes(issuer.token(for: writer, target: target, at: start.advanced(by: .seconds(299))))
    #expect(late == early)
    // An idle hour does not keep it alive: upstream's rotation is lazy and accepts it once (D6).
    #expect(!accepts(issuer, early, after: .seconds(3600)))
  }

  @Test("a token of the next period is not valid yet")
  func future() {
    let issuer = issuer()
    let next = bytes(issuer.token(for: writer, target: target, at: start.advanced(by: .seconds(300))))
    #expect(!accepts(issuer, next, after: .seconds(299)))
    #expect(accepts(issuer, next, after: .seconds(300)))
  }

  @Test("a token serves one address and one target; the port does not matter")
  func binding() {
    let issuer = issuer()
    let token = bytes(issuer.token(for: writer, target: target, at: start))
    #expect(!accepts(issuer, token, from: IPAddress(198, 51, 100, 8), after: .zero))
    #expect(!accepts(issuer, token, from: IPAddress("2001:db8::7"), after: .zero))
    #expect(!accepts(issuer, token, target: target.flippingBit(159), after: .zero))
    #expect(!accepts(self.issuer(seed: 2), token, after: .zero))
  }

  @Test("every wrong bit and every wrong length is refused")
  func wrongTokens() {
    let issuer = issuer()
    let token = bytes(issuer.token(for: writer, target: target, at: start))
    for bit in 0..<64 {
      var wrong = token
      wrong[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(!accepts(issuer, wrong, after: .zero))
    }
    for wrong in [[], Array(token.dropLast()), token + [0], Array(repeating: 0, count: 64)] {
      #expect(!accepts(issuer, wrong, after: .zero))
    }
  }

  @Test("one's own token tells nothing about another's: no constant links the two (D6)")
  func noLinearRelation() {
    // With a CRC, token(a) XOR token(b) is the same for every secret: a public constant that forges.
    let victim = IPAddress(192, 0, 2, 99)
    let differences = (1...64).map { seed in
      let issuer = issuer(seed: UInt64(seed))
      return issuer.token(for: writer, target: target, at: start) ^ issuer.token(for: victim, target: target, at: start)
    }
    #expect(Set(differences).count == differences.count)
    for difference in differences {
      let issuer = issuer(seed: 65)
      let forged = issuer.token(for: writer, target: target, at: start) ^ difference
      #expect(!accepts(issuer, bytes(forged), from: victim, after: .zero))
    }
  }
}
