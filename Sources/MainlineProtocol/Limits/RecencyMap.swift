/// A dictionary of bounded size: a new key on top pushes out the key that was touched least recently. Everything is O(1).
public struct RecencyMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  @usableFromInline struct Slot: Sendable {
    @usableFromInline var key: Key
    @usableFromInline var value: Value

    @inlinable
    init(key: Key, value: Value) {
      self.key = key
      self.value = value
    }
  }

  /// How many keys fit.
  public let capacity: Int
  @usableFromInline var positions: [Key: Int32] = [:]
  @usableFromInline var slots: [Slot?] = []
  @usableFromInline var free: [Int32] = []
  @usableFromInline var recency = SlotLists()

  /// Room for `capacity` keys, at least one; memory is taken only as they come.
  @inlinable
  public init(capacity: Int) { self.capacity = max(1, capacity) }

  /// Number of keys.
  @inlinable public var count: Int { positions.count }

  /// The value of a key, without touching it.
  @inlinable
  public func peek(_ key: Key) -> Value? { positions[key].flatMap { slots[Int($0)]?.value } }

  /// The key touched least recently, and its value.
  @inlinable public var oldest: (key: Key, value: Value)? {
    recency.first().flatMap { slots[$0].map { ($0.key, $0.value) } }
  }

  /// Lends the value of a key for change and makes the key the most recent; a key that is missing gets `initial` first.
  @inlinable
  @inline(__always)
  public mutating func touch<R>(_ key: Key, initial: @autoclosure () -> Value, _ body: (inout Value) -> R) -> R {
    let slot: Int
    if let position = positions[key] {
      slot = Int(position)
    } else {
      slot = place(key, initial())
    }
    recency.append(slot)
    return body(&slots[slot]!.value)
  }

  /// Lends the value of a key for change as ``touch(_:initial:_:)`` does. A new key lets some of the oldest be forgotten of
  /// whose values `isIdle` is true: the map then holds little more than what is in use at the moment.
  @inline(__always)
  mutating func touch<R>(
    _ key: Key, initial: @autoclosure () -> Value, forgetting isIdle: (Value) -> Bool, _ body: (inout Value) -> R
  ) -> R {
    let before = count
    let result = touch(key, initial: initial(), body)
    if count > before {
      removeOldest(atMost: 16, while: isIdle)
      if count * 4 < slots.count { shrink() }
    }
    return result
  }

  /// Lends the value of a key for change and makes the key the most recent; nil if it is missing.
  @inlinable
  @inline(__always)
  public mutating func touchIfPresent<R>(_ key: Key, _ body: (inout Value) -> R) -> R? {
    guard let position = positions[key] else { return nil }
    recency.append(Int(position))
    return body(&slots[Int(position)]!.value)
  }

  /// Sets a value and makes its key the most recent.
  @inlinable
  public mutating func set(_ key: Key, to value: Value) { touch(key, initial: value) { $0 = value } }

  /// Forgets a key.
  @inlinable
  public mutating func remove(_ key: Key) {
    guard let position = positions.removeValue(forKey: key) else { return }
    recency.remove(Int(position))
    slots[Int(position)] = nil
    free.append(position)
  }

  /// Visits all keys, the one touched least recently first, until `body` returns false.
  public func forEach(_ body: (Key, Value) -> Bool) {
    var slot = recency.first()
    while let current = slot {
      if let entry = slots[current], !body(entry.key, entry.value) { return }
      slot = recency.next(after: current)
    }
  }

  /// Forgets at most `limit` keys, the one touched least recently first, for as long as `isIdle` says so of their values.
  mutating func removeOldest(atMost limit: Int = .max, while isIdle: (Value) -> Bool) {
    var left = limit
    while left > 0, let oldest, isIdle(oldest.value) {
      remove(oldest.key)
      left -= 1
    }
  }

  /// Gives back memory that is not used any more.
  mutating func shrink() {
    guard slots.count > 8, positions.count * 2 < slots.count else { return }
    var smaller = RecencyMap(capacity: capacity)
    forEach { key, value in
      smaller.set(key, to: value)
      return true
    }
    self = smaller
  }

  /// Forgets everything.
  @inlinable
  public mutating func removeAll() { self = RecencyMap(capacity: capacity) }

  @inlinable
  mutating func place(_ key: Key, _ value: Value) -> Int {
    if positions.count >= capacity, let oldest { remove(oldest.key) }
    if let reused = free.popLast() {
      positions[key] = reused
      slots[Int(reused)] = Slot(key: key, value: value)
      return Int(reused)
    }
    slots.append(Slot(key: key, value: value))
    positions[key] = Int32(slots.count - 1)
    return slots.count - 1
  }
}
