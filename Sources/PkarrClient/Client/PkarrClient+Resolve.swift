import Pkarr

/// Resolving.
extension PkarrClient {
  /// The packet of a key.
  ///
  /// - Parameters:
  ///   - policy: where to look, and how fresh the answer must be.
  ///   - allowsStale: whether the cached packet is returned, however old, if the network cannot be reached; nil: as
  ///     configured.
  /// - Throws: `ResolveError`.
  public func resolve(
    _ key: PublicKey, policy: ResolvePolicy = .cacheFirst, allowsStale: Bool? = nil
  ) async throws(ResolveError) -> SignedPacket {
    do throws(ResolveFailure) {
      return try await resolution(of: key, policy: policy, allowsStale: allowsStale).packet
    } catch {
      throw error.error
    }
  }

  /// The packet of a key, with where it comes from, how old it is, and who still serves something older.
  ///
  /// - Throws: ``ResolveFailure``: why there is none, and what each of those who were asked said.
  public func resolution(
    of key: PublicKey, policy: ResolvePolicy = .cacheFirst, allowsStale: Bool? = nil
  ) async throws(ResolveFailure) -> Resolution {
    // The cache is not even asked when only the network counts: that would be a use.
    let cached = policy == .networkOnly ? nil : cache?.packet(for: key.target)
    if let cached {
      let isExpired = cached.isExpired(configuration.cachePolicy, at: clock.wallClock())
      if policy == .cacheOnly || !isExpired { return resolution(cached, isStale: isExpired) }
    }
    let race = await lookup(key, policy, cached: cached).run()
    return try conclude(race, key, cached: cached, allowsStale: allowsStale ?? configuration.allowsStale)
  }

  /// A lookup over all networks.
  func lookup(_ key: PublicKey, _ policy: ResolvePolicy, cached: SignedPacket?) -> NetworkLookup {
    NetworkLookup(
      key: key, policy: policy, context: policy == .cacheFirst ? context(cached) : nil, dht: dht, relays: relays,
      clock: clock, times: times)
  }

  private func context(_ cached: SignedPacket?) -> CacheContext {
    CacheContext(cached: cached, policy: configuration.cachePolicy)
  }

  /// What a lookup that has ended means; caches what it found, and brings others up to date.
  func conclude(
    _ race: ResolveRace, _ key: PublicKey, cached: SignedPacket?, allowsStale: Bool
  ) throws(ResolveFailure) -> Resolution {
    let report = race.report(configuration.reportPolicy)
    if Task.isCancelled { throw ResolveFailure(error: .cancelled, report: report) }
    warn(key, report.warnings)
    if let plan = RepairPlan(race) { repairs.start(plan, dht: dht, relays: relays) }
    switch race.result {
    case .success(let candidate):
      cache?.offer(candidate.packet)
      let now = clock.wallClock()
      guard race.policy != .cacheFirst || context(cached).accepts(candidate.packet, at: now) else {
        throw ResolveFailure(error: .notFound, report: report)
      }
      return Resolution(
        candidate, isStale: false, report: report, policy: configuration.cachePolicy, at: now)
    case .failure(let error):
      if allowsStale, error.isUnreachable, let known = cached ?? cache?.peek(key.target) {
        return resolution(known, isStale: true, report)
      }
      throw ResolveFailure(error: error, report: report)
    }
  }

  private func resolution(
    _ cached: SignedPacket, isStale: Bool, _ report: FreshnessReport = .nobody
  ) -> Resolution {
    Resolution(
      ResolveAccumulator.Candidate(packet: cached, source: .cache), isStale: isStale, report: report,
      policy: configuration.cachePolicy, at: clock.wallClock())
  }
}
