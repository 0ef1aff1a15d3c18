/// A cache key in the tables that a store has in memory.
///
/// All 20 bytes are compared, but only the first 8 are hashed: as a part of SHA-1 they differ by themselves, and whoever
/// wants many keys to share them has to compute 2⁶⁴ hashes for each. A table is looked at several times for each packet,
/// so this is felt.
struct HashedKey: Hashable {
  let key: CacheKey

  init(_ key: CacheKey) { self.key = key }

  @inline(__always)
  func hash(into hasher: inout Hasher) { hasher.combine(key.first) }
}
