import Pkarr

/// Publishing.
extension PkarrClient {
  /// Publishes a packet: the whole zone of its key, which replaces what was there.
  ///
  /// Publications of one key through this client run one after the other; one that has not begun when a newer one
  /// arrives ends with `.notMostRecent`. Publishing the same packet again keeps it alive, and needs no secret key.
  ///
  /// - Throws: `PublishError`. ``attemptToPublish(_:)`` says more about a failure.
  @discardableResult
  public func publish(_ packet: SignedPacket) async throws(PublishError) -> PublishReport {
    let report = await attemptToPublish(packet)
    if case .failure(let error) = report.result { throw error }
    return report
  }

  /// Publishes a packet as ``publish(_:)`` does, and reports what each backend said even if it failed.
  public func attemptToPublish(_ packet: SignedPacket) async -> PublishReport {
    // Nothing can be done about these later on, so they need not wait for their turn.
    guard packet.timestamp.isPublishable else {
      return PublishReport(refusing: .notPublishable(.timestamp(packet.timestamp)))
    }
    do throws(PublishError) {
      try await queue.enter(packet.publicKey, packet)
    } catch {
      return PublishReport(refusing: error)
    }
    defer { queue.leave(packet.publicKey) }
    return await send(packet)
  }

  /// Publishes a packet, again and again if need be, until enough nodes have stored it.
  ///
  /// - Parameters:
  ///   - nodeCount: how many nodes are enough.
  ///   - attempts: how often to try, at least once.
  ///   - pause: how long to wait before the second attempt; twice as long before the third, and so on.
  /// - Returns: the report of the attempt that most nodes stored, which may be fewer than wanted.
  /// - Throws: `PublishError` of the last attempt if none succeeded; `.notMostRecent`, `.notPublishable` and
  ///   `.cancelled` at once.
  @discardableResult
  public func publish(
    _ packet: SignedPacket, untilStoredOn nodeCount: Int, attempts: Int = 3, pause: Duration = .seconds(2)
  ) async throws(PublishError) -> PublishReport {
    var best: PublishReport?
    for attempt in 0..<max(1, attempts) {
      if attempt > 0 {
        guard (try? await clock.sleep(pause * (1 << min(attempt - 1, 10)))) != nil else { throw .cancelled }
      }
      let report = await attemptToPublish(packet)
      switch report.result {
      case .success(let stored):
        if stored >= nodeCount { return report }
        if stored >= best?.storedNodes ?? 0 { best = report }
      case .failure(let error):
        switch error {
        case .notMostRecent, .notPublishable, .cancelled: throw error
        case .noDHTNodesQueried, .noResponses, .rejected, .unexpectedResponses: break
        }
        if best == nil, attempt + 1 >= attempts { throw error }
      }
    }
    guard let best else { throw .unexpectedResponses }
    return best
  }

  /// Sends a packet whose turn it is to all networks.
  func send(_ packet: SignedPacket) async -> PublishReport {
    if let cached = cache?.peek(packet.publicKey.target), cached.isMoreRecent(than: packet) {
      return PublishReport(refusing: .notMostRecent)
    }
    let backends = await withTaskGroup(of: (Int, PublishReport.Backend).self) { group in
      if dht != nil { group.addTask { (-1, await self.sendToDHT(packet)) } }
      for (index, relay) in relays.enumerated() { group.addTask { (index, await self.send(packet, to: relay)) } }
      return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
    }
    if Task.isCancelled { return PublishReport(refusing: .cancelled) }
    var report = PublishReport(backends, configuration.reportPolicy)
    report.packet = packet
    warn(packet.publicKey, report.warnings)
    if case .success = report.result {
      var seen = packet
      seen.refresh(at: clock.wallClock())
      cache?.offer(seen)
    }
    return report
  }

  private func sendToDHT(_ packet: SignedPacket) async -> PublishReport.Backend {
    let start = clock.now()
    var backend = PublishReport.Backend(target: .dht, result: .failure(.noDHTNodesQueried), duration: .zero)
    if let dht {
      do throws(PublishError) {
        let outcome = try await dht.publish(packet)
        backend.outcome = outcome
        backend.result = .success(outcome.stored)
      } catch {
        backend.result = .failure(error)
      }
    }
    backend.duration = clock.elapsed(since: start)
    return backend
  }

  private func send(_ packet: SignedPacket, to relay: RelayClient) async -> PublishReport.Backend {
    let start = clock.now()
    var backend = PublishReport.Backend(target: .relay(relay.url), result: .success(0), duration: .zero)
    do throws(RelayError) {
      backend.result = .success(try await relay.publish(packet))
    } catch {
      backend.relayError = error
      backend.result = .failure(error.publishError)
    }
    backend.duration = clock.elapsed(since: start)
    return backend
  }
}
