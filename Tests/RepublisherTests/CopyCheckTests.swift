import MainlineProtocol
import Pkarr
import PkarrClient
import Testing

@testable import Republisher

@Suite("What a lookup means for a packet")
struct CopyCheckTests {
  private let old: SignedPacket
  private let new: SignedPacket
  private let keypair: Keypair

  init() throws {
    keypair = try RepublishSamples.keypair(1)
    old = try RepublishSamples.packet(keypair, 1_000_000)
    new = try RepublishSamples.packet(keypair, 2_000_000)
  }

  private func check(
    _ current: SignedPacket?, _ found: SignedPacket?, _ versions: [Int64?], holders: Int, threshold: Int = 3
  ) throws -> CopyCheck {
    try CopyCheck(
      of: current, found: try found.map(RepublishSamples.item),
      counts: RepublishSamples.counts(versions, holders: holders),
      threshold: threshold, at: .wallClock)
  }

  @Test("enough holders: nothing is put")
  func alive() throws {
    let check = try check(new, new, [2_000_000, 2_000_000, nil, 2_000_000], holders: 3)
    #expect(check.isAlive && !check.isSuperseded && check.held == 3 && check.missing.count == 1)
  }

  @Test("too few: it is put to those who hold something older or nothing, and to nobody else")
  func missing() throws {
    let check = try check(new, new, [2_000_000, 1_000_000, nil, 2_000_000], holders: 2)
    #expect(!check.isAlive && check.held == 2)
    #expect(check.missing.map(\.seq) == [1_000_000, nil])
  }

  @Test("a newer version takes the place of the one that was kept alive, an older one does not")
  func superseded() throws {
    let adopted = try check(old, new, [2_000_000, 1_000_000, 1_000_000], holders: 1)
    #expect(adopted.isSuperseded && adopted.packet.isSame(as: new) && adopted.missing.count == 2)
    let kept = try check(new, old, [1_000_000, nil, nil], holders: 1)
    #expect(!kept.isSuperseded && kept.packet.isSame(as: new) && kept.held == 0 && kept.missing.count == 3)
  }

  @Test("of two packets of one version the larger one is kept, and is not put where the other one is")
  func sameVersion() throws {
    let other = try RepublishSamples.packet(keypair, 2_000_000, "somebody")
    let (larger, smaller) = other.isMoreRecent(than: new) ? (other, new) : (new, other)
    let adopted = try check(smaller, larger, [2_000_000, 2_000_000, 2_000_000], holders: 1)
    #expect(adopted.isSuperseded && adopted.packet.isSame(as: larger) && adopted.held == 1)
    let blocked = try check(larger, smaller, [2_000_000, 2_000_000, 2_000_000], holders: 3)
    #expect(!blocked.isSuperseded && blocked.held == 0 && blocked.isBlocked)
  }

  @Test("nodes that name a version without sending it count for nothing")
  func liars() throws {
    let check = try check(new, new, [2_000_000, 2_000_000, 2_000_000, 9_000_000], holders: 1)
    #expect(check.held == 1 && !check.isAlive && !check.isSuperseded)
    #expect(try self.check(new, nil, [9_000_000, 9_000_000, 9_000_000], holders: 0).isBlocked)
  }

  @Test("a network with fewer nodes than the threshold is full when all hold it")
  func smallNetwork() throws {
    #expect(try check(new, new, [2_000_000, 2_000_000], holders: 2, threshold: 10).isAlive)
    #expect(try !check(new, new, [2_000_000, nil], holders: 1, threshold: 10).isAlive)
  }

  @Test("a newer item that is no packet is not put over; an older one does not matter")
  func notAPacket() throws {
    let secret = keypair.secretKey
    func item(_ seq: Int64) throws -> MutableItem {
      try MutableItem(signedBy: secret, seq: seq, value: ItemValue.encoding(byteString: Array("junk".utf8)))
    }
    #expect(throws: RepublishFailure.notAPacket) {
      _ = try CopyCheck(
        of: old, found: try item(1_500_000), counts: RepublishSamples.counts([1_500_000], holders: 1), threshold: 3,
        at: .wallClock)
    }
    let check = try CopyCheck(
      of: new, found: try item(1_500_000), counts: RepublishSamples.counts([1_500_000], holders: 1), threshold: 3,
      at: .wallClock)
    #expect(check.packet.isSame(as: new) && check.missing.count == 1)
  }

  @Test("nothing known and nothing found is not the same as nobody asked")
  func nothing() throws {
    #expect(throws: RepublishFailure.notFound) { _ = try check(nil, nil, [nil, nil], holders: 0) }
    #expect(throws: RepublishFailure.noNodes) { _ = try check(nil, nil, [], holders: 0) }
    #expect(throws: RepublishFailure.noNodes) { _ = try check(new, nil, [], holders: 0) }
    let found = try check(nil, new, [2_000_000, nil], holders: 1)
    #expect(found.packet.isSame(as: new) && !found.isSuperseded)
  }
}
