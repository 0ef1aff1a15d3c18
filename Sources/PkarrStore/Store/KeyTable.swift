import Pkarr

/// A number for each of some cache keys: where its write is in a queue, when it was used.
///
/// Every offer and many reads look here several times and under a lock, so this is made for one kind of key: 32 bytes for
/// an entry, in one piece of memory (open addressing with linear probing). The place of a key is taken from its first 8
/// bytes, which are a part of SHA-1 and differ by themselves, times an odd number that is a secret of the table: who
/// chooses keys cannot know which of them will meet (multiply-shift hashing, Dietzfelbinger and others, 1997).
struct KeyTable: Sendable {
  private struct Entry {
    /// The key's words.
    var (first, second, third): (UInt64, UInt64, UInt32)
    /// 0 if the place is free.
    var number: UInt64

    static let vacant = Entry(first: 0, second: 0, third: 0, number: 0)

    @inline(__always)
    func isOf(_ key: CacheKey) -> Bool { first == key.first && second == key.second && third == key.third }
  }

  private static let smallestSize = 64

  private var entries: [Entry] = []
  private let multiplier = UInt64.random(in: 0...(.max)) | 1
  /// How far the product is shifted to become a place.
  private var shift: UInt64 = 64
  /// How many keys there are.
  private(set) var count = 0

  /// The number of a key; nil if it has none. Setting nil forgets the key. No number is 0.
  subscript(key: CacheKey) -> UInt64? {
    get {
      let number = self.number(of: key)
      return number == 0 ? nil : number
    }
    set { if let newValue { updateValue(newValue, forKey: key) } else { remove(key) } }
  }

  /// Sets the number of a key and returns the one that it had.
  @discardableResult
  mutating func updateValue(_ number: UInt64, forKey key: CacheKey) -> UInt64? {
    precondition(number != 0, "0 stands for no number")
    // Half of the places at most, so that one is found at the second look on average.
    if 2 * (count + 1) > entries.count { resize(to: max(Self.smallestSize, 2 * entries.count)) }
    let place = place(of: key)
    let old = entries[place].number
    entries[place] = Entry(first: key.first, second: key.second, third: key.third, number: number)
    if old != 0 { return old }
    count += 1
    return nil
  }

  /// Forgets a key if its number is this one.
  @discardableResult
  mutating func remove(_ key: CacheKey, ifNumber number: UInt64) -> Bool {
    guard count > 0 else { return false }
    let place = place(of: key)
    guard number != 0, entries[place].number == number else { return false }
    vacate(place)
    return true
  }

  /// Forgets a key.
  mutating func remove(_ key: CacheKey) { remove(key, ifNumber: number(of: key)) }

  private func number(of key: CacheKey) -> UInt64 { count == 0 ? 0 : entries[place(of: key)].number }

  // MARK: - Places

  /// Where a key with this first word is looked for first.
  @inline(__always)
  private func home(of first: UInt64) -> Int { Int(truncatingIfNeeded: (first &* multiplier) &>> shift) }

  /// Where a key is, or the free place where it would be.
  @inline(__always)
  private func place(of key: CacheKey) -> Int {
    let mask = entries.count - 1
    var place = home(of: key.first)
    while entries[place].number != 0, !entries[place].isOf(key) { place = (place + 1) & mask }
    return place
  }

  /// Frees a place, and moves those that were put behind it to where they will be found.
  private mutating func vacate(_ place: Int) {
    let mask = entries.count - 1
    var (free, next) = (place, (place + 1) & mask)
    while entries[next].number != 0 {
      // An entry may move to the free place unless its home lies behind it.
      if (next - home(of: entries[next].first)) & mask >= (next - free) & mask {
        entries[free] = entries[next]
        free = next
      }
      next = (next + 1) & mask
    }
    entries[free] = .vacant
    count -= 1
    // What a crowd has taken is given back when the last one has gone.
    if count == 0, entries.count > 64 * Self.smallestSize { entries = [] }
  }

  private mutating func resize(to size: Int) {
    let old = entries
    entries = Array(repeating: .vacant, count: size)
    shift = UInt64(64 - size.trailingZeroBitCount)
    let mask = size - 1
    for entry in old where entry.number != 0 {
      var place = home(of: entry.first)
      while entries[place].number != 0 { place = (place + 1) & mask }
      entries[place] = entry
    }
  }
}
