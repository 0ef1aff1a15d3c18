import EventLoops
import Pkarr

extension StoreEngine {
  /// Takes a packet if it is news.
  ///
  /// - Parameter continuation: Who waits until it is written; resumed in any case.
  @discardableResult
  func offer(_ packet: SignedPacket, _ continuation: StoreContinuation? = nil) -> CacheUpdate {
    guard capacity > 0 else {
      continuation?.resume(returning: .success(.stored))
      return .stored
    }
    let key = packet.publicKey.target
    return withStripe(of: key) {
      // Twice only if what was to be waited for has come to its end meanwhile.
      while true {
        if let update = decide(packet, key, continuation) { return update }
      }
    }
  }

  private func decide(_ packet: SignedPacket, _ key: CacheKey, _ continuation: StoreContinuation?) -> CacheUpdate? {
    switch glance(key, isUse: false) {
    case .closed:
      continuation?.resume(returning: .failure(.closed))
      return .stored
    case .removed:
      return state.withLock { put(packet, key, .stored, Found(), continuation, &$0) }
    case .waiting(let current, let position):
      let update = CacheUpdate.decide(packet, over: current)
      return state.withLock { state in
        if case .kept = update {
          guard let continuation else { return update }
          guard state.queue.write(for: key)?.position == position else { return nil }
          state.stores[position, default: []].append(.init(update: update, continuation: continuation))
          wake(&state)
          return update
        }
        return put(packet, key, update, Found(), continuation, &state)
      }
    case .file(let reader):
      let (reader, found, verdict) = read(key, with: reader) { compare(packet, key, with: $0) }
      return state.withLock { state in
        release(reader, found, key: key, isUse: false, &state)
        switch verdict {
        case .update(let update)?:
          return put(packet, key, update, found, continuation, &state)
        case .keep(let current)?:
          continuation?.resume(returning: .success(.kept(newer: current)))
          return .kept(newer: current)
        case nil:
          return put(packet, key, .stored, found, isNew: !found.isDamaged, continuation, &state)
        }
      }
    }
  }

  /// What the update rule says of a packet and one in the file.
  private enum Verdict {
    case update(CacheUpdate)
    case keep(SignedPacket)
  }

  /// Nil if the one in the file is damaged and would be kept.
  private func compare(_ packet: SignedPacket, _ key: CacheKey, with stored: StoredPacket) -> Verdict? {
    switch stored.relation(to: packet, now: .wallClock) {
    // What will be replaced need not be intact.
    case .older: .update(.stored)
    case .sameSeenEarlier: .update(.refreshed)
    // Checked and decoded only now, since few offers are in vain.
    case .same, .newer: stored.packet(of: key).map { .keep($0) }
    }
  }

  /// Queues a packet. Too many may wait already; see ``PacketStore`` for what is dropped then.
  private func put(
    _ packet: SignedPacket, _ key: CacheKey, _ update: CacheUpdate, _ found: Found, isNew: Bool = false,
    _ continuation: StoreContinuation?, _ state: inout StoreState
  ) -> CacheUpdate {
    guard state.phase == .open else {
      continuation?.resume(returning: .failure(.closed))
      return update
    }
    if continuation == nil, state.queue.count >= configuration.queueLimit, state.queue.write(for: key) == nil {
      if update == .refreshed {
        state.statistics.writeErrors += 1
        return update
      }
      // An older version in the file must not come back to light, so only what is new may be lost.
      if isNew, state.queue.count >= 4 * configuration.queueLimit {
        state.statistics.writeErrors += 1
        state.lostWrites = .overloaded
        return update
      }
    }
    let position = state.queue.put(
      .packet(packet), for: key, stamp: state.nextStamp(), isNew: isNew, near: found.place, now: MonotonicClock.coarse)
    if let continuation {
      state.stores[position, default: []].append(.init(update: update, continuation: continuation))
    }
    announceWrite(&state)
    return update
  }

  /// Offers a packet once there is room in the queue, and waits until it is written.
  func store(_ packet: SignedPacket) async throws(StoreError) -> CacheUpdate {
    if state.withLock({ $0.queue.count >= configuration.queueLimit && $0.phase == .open }) {
      await withCheckedContinuation { continuation in
        state.withLock { state in
          guard state.queue.count >= configuration.queueLimit, state.phase == .open else {
            return continuation.resume()
          }
          state.arrivals.append(continuation)
          wake(&state)
        }
      }
    }
    return try await withCheckedContinuation { continuation in _ = offer(packet, continuation) }.get()
  }

  /// Waits until all that was offered is written.
  func flush() async throws(StoreError) {
    let error: StoreError? = await withCheckedContinuation { continuation in
      state.withLock { state in
        guard state.phase != .closed else { return continuation.resume(returning: .closed) }
        if state.queue.donePosition == state.queue.lastPosition {
          continuation.resume(returning: state.lostWrites)
          state.lostWrites = nil
        } else {
          state.flushes.append((state.queue.lastPosition, continuation))
          wake(&state)
        }
      }
    }
    if let error { throw error }
  }

  /// Forgets the packet of a key.
  func remove(_ key: CacheKey) {
    withStripe(of: key) {
      let isNew: Bool
      switch glance(key, isUse: false) {
      case .closed, .removed: return
      case .waiting: isNew = false
      case .file(let reader):
        let (reader, found, _) = read(key, with: reader) { _ in true }
        state.withLock { release(reader, found, key: key, isUse: false, &$0) }
        guard found.stamp != nil || found.isDamaged else { return }
        isNew = false
      }
      state.withLock { state in
        guard state.phase == .open else { return }
        state.queue.put(.nothing, for: key, stamp: state.nextStamp(), isNew: isNew, now: MonotonicClock.coarse)
        announceWrite(&state)
      }
    }
  }
}
