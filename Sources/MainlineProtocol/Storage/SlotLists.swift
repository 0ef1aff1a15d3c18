/// Doubly linked lists through numbered slots, each slot in at most one list: appending, removing and taking the oldest
/// are O(1) and allocate nothing once the links are there.
@usableFromInline
struct SlotLists: Sendable {
  @usableFromInline struct Link: Sendable {
    @usableFromInline var previous: Int32 = -1
    @usableFromInline var next: Int32 = -1
    /// The list that the slot is in; −1 for none.
    @usableFromInline var list: Int32 = -1

    @inlinable init() {}

    @inlinable
    init(previous: Int32, next: Int32, list: Int32) {
      self.previous = previous
      self.next = next
      self.list = list
    }
  }

  @usableFromInline struct Ends: Sendable {
    @usableFromInline var first: Int32 = -1
    @usableFromInline var last: Int32 = -1

    @inlinable init() {}
  }

  /// Bytes for each slot.
  static let overhead = MemoryLayout<Link>.stride

  @usableFromInline var links: [Link] = []
  /// Empty until something is appended: most nodes of a simulation store nothing.
  @usableFromInline var ends: [Ends] = []
  @usableFromInline let count: Int

  /// Empty lists, numbered from 0.
  @inlinable
  init(count: Int = 1) { self.count = count }

  /// The slot that was appended to the list first of those in it; nil if it is empty.
  @inlinable
  @inline(__always)
  func first(of list: Int = 0) -> Int? { !ends.isEmpty && ends[list].first >= 0 ? Int(ends[list].first) : nil }

  /// The slot appended after `slot`; nil if it is the last.
  func next(after slot: Int) -> Int? { links[slot].next >= 0 ? Int(links[slot].next) : nil }

  /// Appends a slot, taking it out of the list that it is in.
  @inlinable
  mutating func append(_ slot: Int, to list: Int = 0) {
    if ends.isEmpty { ends = Array(repeating: Ends(), count: count) }
    while slot >= links.count { links.append(Link()) }
    remove(slot)
    let last = ends[list].last
    links[slot] = Link(previous: last, next: -1, list: Int32(list))
    if last >= 0 { links[Int(last)].next = Int32(slot) } else { ends[list].first = Int32(slot) }
    ends[list].last = Int32(slot)
  }

  /// Takes a slot out of the list that it is in, if any.
  @inlinable
  mutating func remove(_ slot: Int) {
    guard slot < links.count, links[slot].list >= 0 else { return }
    let link = links[slot]
    let list = Int(link.list)
    if link.previous >= 0 { links[Int(link.previous)].next = link.next } else { ends[list].first = link.next }
    if link.next >= 0 { links[Int(link.next)].previous = link.previous } else { ends[list].last = link.previous }
    links[slot] = Link()
  }

  /// Lets slot `new` take the place of slot `old` in its list, for an array that fills a gap with its last element.
  mutating func rename(_ old: Int, to new: Int) {
    while max(old, new) >= links.count { links.append(Link()) }
    remove(new)
    let link = links[old]
    guard link.list >= 0 else { return }
    let list = Int(link.list)
    links[new] = link
    links[old] = Link()
    if link.previous >= 0 { links[Int(link.previous)].next = Int32(new) } else { ends[list].first = Int32(new) }
    if link.next >= 0 { links[Int(link.next)].previous = Int32(new) } else { ends[list].last = Int32(new) }
  }
}
