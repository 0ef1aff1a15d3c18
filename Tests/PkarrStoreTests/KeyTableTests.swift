import Cryptography
import Pkarr
import Testing

@testable import PkarrStore

@Suite("Numbers of keys")
struct KeyTableTests {
  @Test("a table does what a dictionary does, through any number of changes", arguments: [1, 2, 3])
  func model(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var table = KeyTable()
    var model: [CacheKey: UInt64] = [:]
    let keys = (0..<600).map { Sample.key($0) }
    for step in 1...20_000 {
      // It grows to all keys, and shrinks to none, again and again.
      let isGrowing = step / 2500 % 2 == 0
      let key = keys[Int.random(in: 0..<keys.count, using: &random)]
      if Int.random(in: 0..<10, using: &random) < (isGrowing ? 7 : 2) {
        let old = table.updateValue(UInt64(step), forKey: key)
        #expect(old == model.updateValue(UInt64(step), forKey: key))
      } else if step % 3 == 0 {
        let number = model[key] ?? 7
        let removed = [number + 1, number].map { table.remove(key, ifNumber: $0) }
        #expect(removed == [false, model.removeValue(forKey: key) != nil])
      } else {
        table[key] = nil
        model[key] = nil
      }
      #expect(table.count == model.count)
      if step % 500 == 0 { for key in keys { #expect(table[key] == model[key]) } }
    }
  }

  @Test("a crowd of keys is found, and leaves nothing behind")
  func crowd() {
    var table = KeyTable()
    let keys = (0..<10_000).map { Sample.key($0) }
    for (number, key) in keys.enumerated() { table[key] = UInt64(number + 1) }
    #expect(keys.enumerated().allSatisfy { table[$1] == UInt64($0 + 1) })
    for key in keys { table.remove(key) }
    #expect(table.count == 0 && keys.allSatisfy { table[$0] == nil })
  }
}
