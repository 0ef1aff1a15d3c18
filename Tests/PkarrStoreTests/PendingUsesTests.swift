import Pkarr
import Testing

@testable import PkarrStore

@Suite("Uses that are to be written")
struct PendingUsesTests {
  @Test("uses are taken in the order of their stamps, the last one of each key")
  func order() {
    var uses = PendingUses()
    for (stamp, key) in [1, 2, 3, 1, 4].enumerated() {
      let isNoted = uses.note(Sample.key(key), now: UInt64(stamp) + 1, slack: 0)
      #expect(isNoted)
    }
    #expect(uses.count == 4)
    let first = uses.take(atMost: 3)
    #expect(first.map(\.key) == [2, 3, 1].map { Sample.key($0) } && first.map(\.stamp) == [2, 3, 4])
    let rest = uses.take(atMost: 3)
    #expect(rest.map(\.key) == [Sample.key(4)] && uses.count == 0 && uses.take(atMost: 3).isEmpty)
  }

  @Test("a use is noted again only if more than the slack has been used since")
  func slack() {
    var uses = PendingUses()
    let noted = [1, 11, 12].map { uses.note(Sample.key(1), now: $0, slack: 10) }
    #expect(noted == [true, false, false])
    let later = uses.note(Sample.key(1), now: 13, slack: 10)
    #expect(later && uses.take(atMost: 10).map(\.stamp) == [13])
  }

  @Test("two packets that are read in turns for ever are two uses, and a crowd of packets has a bound")
  func bounds() {
    var uses = PendingUses()
    var stamp: UInt64 = 0
    for _ in 0..<20 * PendingUses.limit {
      stamp += 1
      _ = uses.note(Sample.key(Int(stamp % 2)), now: stamp, slack: 0)
    }
    #expect(uses.count == 2)
    for key in 0..<3 * PendingUses.limit where uses.note(Sample.key(key), now: stamp + 1, slack: 0) { stamp += 1 }
    #expect(uses.count == 2 * PendingUses.limit)
    let taken = uses.take(atMost: .max)
    #expect(taken.count == 2 * PendingUses.limit && taken.map(\.stamp) == taken.map(\.stamp).sorted())
    #expect(Set(taken.map(\.key)).count == taken.count && uses.count == 0)
  }
}
