import Addresses
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite("Announced peers")
struct PeerStoreTests {
  private let start = Instant(nanoseconds: 0)
  private func at(_ minutes: Int) -> Instant { start.advanced(by: .seconds(60 * minutes)) }
  private func hash(_ number: Int) -> NodeID { NodeID(SHA1.hash("\(number)".utf8.map { $0 })) }
  private func peer(_ network: Int, _ host: Int = 1, port: UInt16 = 6881) -> Endpoint {
    Endpoint(IPAddress(v4: 0x0b00_0000 + UInt32(network) << 8 + UInt32(host)), port: port)
  }
  private func store(_ infoHashes: Int = 2000, _ peers: Int = 500, limitsSources: Bool = true) -> PeerStore {
    var limits = StorageLimits()
    limits.infoHashes = infoHashes
    limits.peersPerInfoHash = peers
    return PeerStore(limits: limits, limitsSources: limitsSources)
  }

  @Test("a peer is its endpoint: announcing again adds nobody")
  func endpoints() {
    var store = store()
    var random = RandomSource(seed: 1)
    for _ in 0..<5 { #expect(store.announce(peer(1), for: hash(1), at: start) == true) }
    #expect(store.announce(peer(1, port: 7), for: hash(1), at: start) == true)
    #expect(store.peerCount(of: hash(1)) == 2)
    #expect(Set(store.peers(of: hash(1), family: .ipv4, at: start, using: &random)) == [peer(1), peer(1, port: 7)])
    #expect(store.peers(of: hash(2), family: .ipv4, at: start, using: &random).isEmpty)
  }

  @Test("peers are told to their own family only")
  func families() {
    var store = store()
    var random = RandomSource(seed: 1)
    let v6 = Endpoint(IPAddress("2001:db8::1")!, port: 1)
    #expect(store.announce(v6, for: hash(1), at: start) == true)
    #expect(store.announce(peer(1), for: hash(1), at: start) == true)
    #expect(store.peers(of: hash(1), family: .ipv6, at: start, using: &random) == [v6])
    #expect(store.peers(of: hash(1), family: .ipv4, at: start, using: &random) == [peer(1)])
  }

  @Test("a peer is gone 45 minutes after its last announcement, and its info-hash with the last peer")
  func expiry() {
    var store = store()
    var random = RandomSource(seed: 1)
    #expect(store.announce(peer(1), for: hash(1), at: at(0)) == true)
    #expect(store.announce(peer(2), for: hash(1), at: at(30)) == true)
    #expect(store.peers(of: hash(1), family: .ipv4, at: at(44), using: &random).count == 2)
    #expect(store.peers(of: hash(1), family: .ipv4, at: at(45), using: &random) == [peer(2)])
    store.expire(at: at(74))
    #expect(store.infoHashCount == 1)
    store.expire(at: at(75))
    #expect(store.infoHashCount == 0)
    #expect(store.announce(peer(1), for: hash(1), at: at(75)) == true)
    #expect(store.peerCount(of: hash(1)) == 1)
  }

  @Test("an answer holds ten different peers, and every peer has the same chance (D23)")
  func draw() {
    var store = store()
    var random = RandomSource(seed: 5)
    for number in 0..<100 { #expect(store.announce(peer(number), for: hash(1), at: start) == true) }
    var seen: [Endpoint: Int] = [:]
    for _ in 0..<5000 {
      let drawn = store.peers(of: hash(1), family: .ipv4, at: start, using: &random)
      #expect(drawn.count == 10 && Set(drawn).count == 10)
      for endpoint in drawn { seen[endpoint, default: 0] += 1 }
    }
    // 500 each on average, standard deviation 21: six of them to either side.
    #expect(seen.count == 100)
    #expect(seen.values.allSatisfy { (373...627).contains($0) }, "\(seen.values.min()!)…\(seen.values.max()!)")
  }

  @Test("a full list drops the peer announced longest ago")
  func fullList() {
    var store = store(10, 20)
    for number in 0..<20 { #expect(store.announce(peer(number), for: hash(1), at: at(number)) == true) }
    #expect(store.announce(peer(0), for: hash(1), at: at(20)) == true)
    #expect(store.announce(peer(100), for: hash(1), at: at(21)) == true)
    #expect(store.peerCount(of: hash(1)) == 20)
    var random = RandomSource(seed: 1)
    let all = (0..<200).reduce(into: Set<Endpoint>()) { set, _ in
      set.formUnion(store.peers(of: hash(1), family: .ipv4, at: at(21), using: &random))
    }
    #expect(all.count == 20 && !all.contains(peer(1)) && all.contains(peer(0)) && all.contains(peer(100)))
  }

  @Test("one network cannot push out the peers of others with ever new ports (D15)")
  func portFlood() {
    var store = store(10, 100)
    for number in 0..<100 { #expect(store.announce(peer(number), for: hash(1), at: at(0)) == true) }
    for port in 1...1000 { #expect(store.announce(peer(500, port: UInt16(port)), for: hash(1), at: at(1)) == true) }
    var random = RandomSource(seed: 1)
    let all = (0..<500).reduce(into: Set<Endpoint>()) { set, _ in
      set.formUnion(store.peers(of: hash(1), family: .ipv4, at: at(1), using: &random))
    }
    #expect(all.filter { $0.address != peer(500).address }.count == 95)
  }

  @Test("of the info-hashes the one with a single peer announced longest ago goes; larger swarms stay")
  func fullStore() {
    var store = store(4, 10, limitsSources: false)
    for number in 0..<4 { #expect(store.announce(peer(number), for: hash(number), at: at(number)) == true) }
    #expect(store.announce(peer(9), for: hash(0), at: at(5)) == true)
    #expect(store.announce(peer(7), for: hash(10), at: at(6)) == true)
    #expect(store.peerCount(of: hash(0)) == 2)
    #expect(store.peerCount(of: hash(1)) == 0)
    #expect(store.infoHashCount == 4)
    for number in [2, 3, 10] { #expect(store.announce(peer(8), for: hash(number), at: at(7)) == true) }
    #expect(store.announce(peer(7), for: hash(11), at: at(8)) == false, "all are worth more than a newcomer")
    #expect(store.announce(peer(7), for: hash(11), at: at(51)) == true, "but not once they have expired")
  }

  @Test("one network opens at most a twentieth of the info-hashes")
  func sourceShare() {
    var store = store(100, 10)
    #expect((0..<50).filter { store.announce(peer(1, $0), for: hash($0), at: start) }.count == 5)
    #expect(store.announce(peer(2), for: hash(99), at: start) == true)
    #expect(store.announce(peer(1), for: hash(99), at: start) == true, "it may join those of others")
    #expect((100..<150).filter { store.announce(peer(1, $0), for: hash($0), at: at(45)) }.count == 5)
  }

  @Test("limits of zero store nothing")
  func zero() {
    var none = store(0, 10)
    #expect(none.announce(peer(1), for: hash(1), at: start) == false)
    none = store(10, 0)
    #expect(none.announce(peer(1), for: hash(1), at: start) == false)
  }

  @Test("a sample of info-hashes has no duplicates, leaves nobody out, and is everything if there is little (BEP 51)")
  func sample() {
    var store = store()
    var random = RandomSource(seed: 3)
    #expect(store.sample(20, using: &random).isEmpty)
    for number in 0..<15 { #expect(store.announce(peer(number), for: hash(number), at: start) == true) }
    #expect(Set(store.sample(20, using: &random)).count == 15)
    for number in 15..<60 { #expect(store.announce(peer(number), for: hash(number), at: start) == true) }
    var seen: [NodeID: Int] = [:]
    for _ in 0..<3000 {
      let sample = store.sample(20, using: &random)
      #expect(sample.count == 20 && Set(sample).count == 20)
      for hash in sample { seen[hash, default: 0] += 1 }
    }
    // 1000 each on average, standard deviation 26.
    #expect(seen.count == 60 && seen.values.allSatisfy { (840...1160).contains($0) })
  }

  @Test("a flood of random announcements stays within bounds and keeps the books straight")
  func flood() {
    var random = RandomSource(seed: 11)
    var store = store(50, 20)
    var minutes = 0
    for _ in 0..<20_000 {
      if Int.random(in: 0..<50, using: &random) == 0 { minutes += 1 }
      let infoHash = hash(Int.random(in: 0..<200, using: &random))
      let peer = peer(
        Int.random(in: 0..<40, using: &random), port: UInt16.random(in: 1...3, using: &random))
      let stored = store.announce(peer, for: infoHash, at: at(minutes))
      #expect(store.infoHashCount <= 50)
      #expect(store.peerCount(of: infoHash) <= 20)
      #expect(!stored || store.peerCount(of: infoHash) >= 1)
    }
    store.expire(at: at(minutes + 45))
    #expect(store.infoHashCount == 0)
    #expect((0..<50).filter { store.announce(peer($0), for: hash($0), at: at(minutes + 45)) }.count == 50)
  }
}
