import Addresses
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite("Which stored items have to go")
struct ItemShelfTests {
  private let ownID = NodeID.zero
  private func at(_ minutes: Int64) -> Instant { Instant(nanoseconds: minutes * 60_000_000_000) }
  private func network(_ number: Int) -> IPAddress { IPAddress(v4: 0x0b00_0001 + UInt32(number) << 8) }

  /// A target of which the first `zeros` bits are those of our id and the next is not.
  private func target(_ zeros: Int, _ number: Int) -> NodeID {
    NodeID.zero.flippingBit(zeros).keepingPrefix(zeros + 1, restFrom: NodeID(0, 0, UInt32(number)))
  }

  private func shelf(_ capacity: Int, limitsSources: Bool = false) -> ItemShelf<Int> {
    ItemShelf(capacity: capacity, ownID: ownID, limitsSources: limitsSources)
  }

  private func put(_ shelf: inout ItemShelf<Int>, _ target: NodeID, from source: Int, at minutes: Int64) -> Bool {
    (try? shelf.put(0, target: target, from: network(source), at: at(minutes))) != nil
  }

  @Test("a newcomer closer to us pushes out the farthest; one that is farther than all is refused")
  func distance() {
    var shelf = shelf(3)
    for zeros in [5, 6, 7] { #expect(put(&shelf, target(zeros, 0), from: zeros, at: 0)) }
    #expect(!put(&shelf, target(4, 0), from: 9, at: 1))
    #expect(put(&shelf, target(8, 0), from: 9, at: 1))
    #expect(shelf.payload(of: target(5, 0)) == nil)
    #expect(shelf.payload(of: target(6, 0)) != nil)
    #expect(shelf.count == 3)
  }

  @Test("among equals the one not put for longest goes")
  func equalScores() {
    var shelf = shelf(3)
    for number in 0..<3 { #expect(put(&shelf, target(5, number), from: number, at: Int64(number))) }
    #expect(put(&shelf, target(5, 0), from: 0, at: 3))
    #expect(put(&shelf, target(5, 9), from: 0, at: 4))
    #expect(shelf.payload(of: target(5, 1)) == nil)
    #expect(shelf.payload(of: target(5, 0)) != nil)
  }

  @Test("five networks that put an item are worth one bit of distance, and no more than twenty count")
  func putters() {
    var shelf = shelf(2)
    #expect(put(&shelf, target(5, 1), from: 0, at: 0))
    #expect(put(&shelf, target(6, 1), from: 0, at: 0))
    for source in 1..<10 { #expect(put(&shelf, target(5, 1), from: source, at: 1)) }
    // Ten networks: two bits, so the nearer one of a single network goes.
    #expect(put(&shelf, target(6, 2), from: 0, at: 2))
    #expect(shelf.payload(of: target(6, 1)) == nil)
    #expect(shelf.payload(of: target(5, 1)) != nil)
    for source in 10..<200 { #expect(put(&shelf, target(5, 1), from: source, at: 3)) }
    // Four bits at most: an item five bits closer has its place.
    #expect(put(&shelf, target(11, 2), from: 0, at: 4))
    #expect(put(&shelf, target(10, 2), from: 0, at: 4))
    #expect(shelf.payload(of: target(5, 1)) == nil)
  }

  @Test("one network that puts an item again and again is worth nothing more")
  func onePutter() {
    var shelf = shelf(1)
    for _ in 0..<100 { #expect(put(&shelf, target(5, 1), from: 0, at: 0)) }
    #expect(put(&shelf, target(5, 2), from: 1, at: 0))
    #expect(shelf.payload(of: target(5, 1)) == nil)
  }

  @Test("items not put for two hours go first, the farthest of them before the others")
  func age() {
    var shelf = shelf(4)
    for zeros in [20, 10, 15] { #expect(put(&shelf, target(zeros, 0), from: 0, at: 0)) }
    #expect(put(&shelf, target(0, 0), from: 0, at: 60))
    // The fresh item at distance 160 has the worst score, but the old ones go, farthest first.
    for (newcomer, gone) in [(1, 10), (2, 15), (3, 20)] {
      #expect(put(&shelf, target(0, newcomer), from: 0, at: 120))
      #expect(shelf.payload(of: target(gone, 0)) == nil, "\(gone)")
      #expect(shelf.payload(of: target(0, 0)) != nil)
    }
    #expect(put(&shelf, target(0, 4), from: 0, at: 120))
    #expect(shelf.payload(of: target(0, 0)) == nil)
  }

  @Test("an item put again within two hours stays fresh, and its times are told")
  func refresh() throws {
    var shelf = shelf(2)
    #expect(put(&shelf, target(5, 0), from: 0, at: 0))
    #expect(put(&shelf, target(9, 0), from: 0, at: 0))
    shelf.refresh(target(5, 0), from: network(0), at: at(119))
    let times = try #require(shelf.putTimes(of: target(5, 0)))
    #expect(times.first == at(0) && times.last == at(119))
    #expect(put(&shelf, target(1, 0), from: 0, at: 120))
    #expect(shelf.payload(of: target(9, 0)) == nil, "closer, but old")
    #expect(shelf.payload(of: target(5, 0)) != nil)
  }

  @Test("a capacity of zero stores nothing")
  func nothing() {
    var shelf = shelf(0)
    #expect(!put(&shelf, target(5, 0), from: 0, at: 0))
    #expect(shelf.refusal(of: target(5, 0), from: network(0), at: at(0)) == .full)
    #expect(shelf.count == 0)
  }

  @Test("one network gets a twentieth, however close to us its targets are")
  func sourceShare() {
    var shelf = shelf(100, limitsSources: true)
    let taken = (0..<50).filter { put(&shelf, target(100, $0), from: 1, at: 0) }.count
    #expect(taken == 5)
    #expect(shelf.refusal(of: target(100, 77), from: network(1), at: at(0)) == .sourceFull)
    #expect(put(&shelf, target(100, 0), from: 1, at: 1), "what it holds it may put again")
    #expect(put(&shelf, target(100, 50), from: 2, at: 1), "others are free to")
    // Old items are not charged, and cannot all be made fresh again.
    let later = (100..<150).filter { put(&shelf, target(100, $0), from: 1, at: 130) }.count
    #expect(later == 5)
    for number in 0..<5 { #expect(put(&shelf, target(100, number), from: 1, at: 131)) }
    for number in 200..<290 { #expect(put(&shelf, target(5, number), from: number, at: 131)) }
    // 5 + 5 + 1 old and 90 new are one too many: an old one of the first network goes.
    #expect(shelf.count == 100)
    #expect((0..<5).filter { shelf.payload(of: target(100, $0)) != nil }.count + 1 >= 5)
    #expect((100..<150).filter { shelf.payload(of: target(100, $0)) != nil }.count == 5)
  }

  @Test("a thousand junk items from one network flush nobody's record (D15)")
  func flushingFromOneNetwork() {
    var shelf = shelf(1000, limitsSources: true)
    for number in 0..<1000 { #expect(put(&shelf, target(3, number), from: number, at: 0)) }
    for number in 0..<5000 { _ = put(&shelf, target(60, number), from: 9999, at: 1) }
    #expect((0..<1000).filter { shelf.payload(of: target(3, $0)) != nil }.count == 950)
  }

  @Test("junk at random targets from a thousand networks pushes out junk, not what is close to us (D15)")
  func flushingFromMany() {
    var random = RandomSource(seed: 7)
    var shelf = shelf(1000, limitsSources: true)
    for number in 0..<500 { #expect(put(&shelf, target(20, number), from: number % 100, at: 0)) }
    for number in 0..<20_000 { _ = put(&shelf, .random(using: &random), from: 1000 + number % 1000, at: 1) }
    #expect((0..<500).filter { shelf.payload(of: target(20, $0)) != nil }.count == 500)
    #expect(shelf.count == 1000)
  }

  @Test("after a change of id the ranking follows the new one")
  func newID() {
    var shelf = shelf(4)
    for zeros in [1, 30] { #expect(put(&shelf, target(zeros, 0), from: 0, at: 0)) }
    for zeros in [2, 31] { #expect(put(&shelf, target(zeros, 0), from: 0, at: 100)) }
    shelf.age(at: at(121))
    let newID = NodeID.zero.flippingBit(0).flippingBit(1).flippingBit(2)
    shelf.rank(for: newID)
    // Seen from there 00…1 (30, 31) are bucket 160 like the others, and the farthest by XOR.
    #expect(put(&shelf, newID.flippingBit(50), from: 0, at: 121))
    #expect(shelf.payload(of: target(30, 0)) == nil)
    #expect(put(&shelf, newID.flippingBit(51), from: 0, at: 121))
    #expect(shelf.payload(of: target(1, 0)) == nil)
    #expect(put(&shelf, newID.flippingBit(52), from: 0, at: 121))
    #expect(shelf.payload(of: target(2, 0)) == nil)
  }

  @Test("random puts, refreshes and passing time leave the same items as a naive model", arguments: 1...8)
  func model(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let limitsSources = seed % 2 == 0
    var shelf = shelf(40, limitsSources: limitsSources)
    var model = Model(capacity: 40, share: limitsSources ? 2 : .max)
    var minutes: Int64 = 0
    for step in 0..<3000 {
      minutes += Int64.random(in: 0...3, using: &random) * Int64.random(in: 0...3, using: &random)
      let target = target(Int.random(in: 0...6, using: &random), Int.random(in: 0..<12, using: &random))
      let source = Int.random(in: 0..<30, using: &random)
      if Int.random(in: 0..<10, using: &random) == 0 {
        shelf.refresh(target, from: network(source), at: at(minutes))
        model.refresh(target, source, minutes)
      } else {
        let refusal = shelf.refusal(of: target, from: network(source), at: at(minutes))
        let stored = put(&shelf, target, from: source, at: minutes)
        #expect(stored == (refusal == nil))
        #expect(stored == model.put(target, source, minutes), "step \(step)")
      }
      #expect(shelf.count == model.items.count)
    }
    for (target, _) in model.items { #expect(shelf.payload(of: target) != nil) }
  }

  /// The same rules without any cleverness.
  private struct Model {
    struct Item {
      var putters: Set<Int>
      var owner: Int
      var last: Int64
      var order: Int
      var isOld = false
    }
    let capacity: Int
    let share: Int
    var items: [NodeID: Item] = [:]
    var clock = 0

    mutating func age(_ now: Int64) {
      for (target, item) in items where item.last + 120 <= now { items[target]!.isOld = true }
    }
    func held(_ source: Int) -> Int { items.values.filter { !$0.isOld && $0.owner == source }.count }
    func score(_ target: NodeID, _ item: Item) -> Int {
      min(item.putters.count, 20) / 5 - NodeID.zero.bucketDistance(to: target)
    }

    mutating func refresh(_ target: NodeID, _ source: Int, _ now: Int64) {
      age(now)
      guard var item = items[target] else { return }
      clock += 1
      item.putters.insert(source)
      if item.isOld {
        guard held(source) < share else {
          items[target] = item
          return
        }
        item.isOld = false
        item.owner = source
      }
      item.last = now
      item.order = clock
      items[target] = item
    }

    mutating func put(_ target: NodeID, _ source: Int, _ now: Int64) -> Bool {
      age(now)
      if items[target] != nil {
        refresh(target, source, now)
        return true
      }
      guard held(source) < share else { return false }
      let newcomer = Item(putters: [source], owner: source, last: now, order: clock + 1)
      if items.count >= capacity {
        if let old = items.filter({ $0.value.isOld }).keys.max() {
          items[old] = nil
        } else {
          let worst = items.min {
            (score($0.key, $0.value), $0.value.order) < (score($1.key, $1.value), $1.value.order)
          }!
          guard score(worst.key, worst.value) <= score(target, newcomer) else { return false }
          items[worst.key] = nil
        }
      }
      clock += 1
      items[target] = newcomer
      return true
    }
  }
}

@Suite("Stored items")
struct ItemStoreTests {
  private let owner = Ed25519.SecretKey(seed: Array(repeating: 3, count: 32))!
  private let source = IPAddress(198, 51, 100, 1)
  private let start = Instant(nanoseconds: 5)

  private func store(_ item: MutableItem, in store: inout ItemStore, at now: Instant) -> Bool {
    store.put(
      key: item.key.bytes.span.bytes, seq: item.seq, signature: item.signature.bytes.span.bytes,
      value: item.value.span.bytes, target: item.target, from: source, at: now)
  }

  private func judge(
    _ item: MutableItem, cas: Int64? = nil, in store: inout ItemStore, at now: Instant
  ) -> ItemStore.Verdict {
    store.judge(
      target: item.target, seq: item.seq, value: item.value.span.bytes, signature: item.signature.bytes.span.bytes,
      cas: cas, from: source, at: now)
  }

  @Test("seq and cas decide about a put before its signature does")
  func verdicts() throws {
    var store = ItemStore(limits: StorageLimits(), ownID: .zero, limitsSources: true)
    let five = try MutableItem(signedBy: owner, seq: 5, bytes: [1])
    #expect(judge(five, cas: 77, in: &store, at: start) == .verify, "cas means nothing if nothing is stored")
    #expect(self.store(five, in: &store, at: start))
    #expect(store.mutableCount == 1)
    let four = try MutableItem(signedBy: owner, seq: 4, bytes: [1])
    let six = try MutableItem(signedBy: owner, seq: 6, bytes: [1])
    let other = try MutableItem(signedBy: owner, seq: 5, bytes: [2])
    #expect(judge(four, in: &store, at: start) == .seqTooLow)
    #expect(judge(four, cas: 4, in: &store, at: start) == .casMismatch, "301 before 302")
    #expect(judge(other, in: &store, at: start) == .seqTooLow)
    #expect(judge(six, cas: 4, in: &store, at: start) == .casMismatch)
    #expect(judge(six, cas: 5, in: &store, at: start) == .verify)
    #expect(judge(six, in: &store, at: start) == .verify)
    #expect(judge(five, cas: 5, in: &store, at: start) == .refreshed)
    let later = start.advanced(by: .seconds(60))
    #expect(judge(five, in: &store, at: later) == .refreshed)
    #expect(store.putTimes(five.target)?.last == later)
    #expect(store.putTimes(five.target)?.first == start)
  }

  @Test("the same item with another signature is verified again, and does not reset the age by itself")
  func otherSignature() throws {
    var store = ItemStore(limits: StorageLimits(), ownID: .zero, limitsSources: true)
    let item = try MutableItem(signedBy: owner, seq: 5, bytes: [1])
    #expect(self.store(item, in: &store, at: start))
    let later = start.advanced(by: .seconds(60))
    let verdict = store.judge(
      target: item.target, seq: 5, value: item.value.span.bytes,
      signature: [UInt8](repeating: 1, count: 64).span.bytes, cas: nil, from: source, at: later)
    #expect(verdict == .verify)
    #expect(store.putTimes(item.target)?.last == start)
  }

  @Test("what is stored comes back byte for byte")
  func content() throws {
    var store = ItemStore(limits: StorageLimits(), ownID: .zero, limitsSources: true)
    let item = try MutableItem(signedBy: owner, seq: 5, bytes: Array(0..<200), salt: [1, 2])
    #expect(self.store(item, in: &store, at: start))
    let stored = try #require(store.mutableItem(item.target))
    #expect(stored.withKey { [UInt8]($0) } == item.key.bytes)
    #expect(stored.seq == 5 && stored.signature == item.signature && stored.value == item.value)
    #expect(store.mutableItem(item.target.flippingBit(3)) == nil)
    let newer = try MutableItem(signedBy: owner, seq: 6, bytes: [], salt: [1, 2])
    #expect(self.store(newer, in: &store, at: start))
    #expect(store.mutableItem(item.target)?.value == newer.value)
    #expect(store.mutableCount == 1)
  }

  @Test("immutable items have a room of their own")
  func immutable() throws {
    var limits = StorageLimits()
    limits.mutableItems = 0
    limits.immutableItems = 2
    var store = ItemStore(limits: limits, ownID: .zero, limitsSources: false)
    let item = try MutableItem(signedBy: owner, seq: 5, bytes: [1])
    #expect(judge(item, in: &store, at: start) == .noRoom)
    #expect(!self.store(item, in: &store, at: start))
    for byte in UInt8(0)..<5 {
      let item = try ImmutableItem(bytes: [byte])
      _ = store.put(immutable: item.value.span.bytes, target: item.target, from: source, at: start)
      #expect(store.immutableCount <= 2)
    }
    let first = try ImmutableItem(bytes: [0])
    let hadRoom = store.hasRoom(forImmutable: first.target, from: source, at: start)
    let stored = store.put(immutable: first.value.span.bytes, target: first.target, from: source, at: start)
    #expect(hadRoom == stored)
    #expect((store.immutableValue(first.target) == first.value) == stored)
  }

  @Test("a stored item of the largest size costs less than 1.5 kB")
  func memory() {
    // The value with the array's header, rounded up as malloc does.
    let value = (32 + ItemValue.maximumEncodedByteCount + 8 + 15) / 16 * 16
    let overhead = ItemShelf<ItemStore.Mutable>.overhead
    #expect(value + overhead <= 1500, "\(value) + \(overhead)")
  }
}
