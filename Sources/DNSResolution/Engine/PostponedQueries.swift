/// Queries for which nothing has been begun, in the order of their arrival. Each is in `pending` unless its client has gone.
struct PostponedQueries {
  private var ids: [PendingQueryID] = []
  /// Those before are taken.
  private var head = 0

  var isEmpty: Bool { head == ids.count }

  mutating func append(_ id: PendingQueryID) { ids.append(id) }

  mutating func popFirst() -> PendingQueryID? {
    guard head < ids.count else { return nil }
    defer {
      head += 1
      if head == ids.count {
        ids.removeAll(keepingCapacity: ids.capacity <= 1024)
        head = 0
      }
    }
    return ids[head]
  }
}
