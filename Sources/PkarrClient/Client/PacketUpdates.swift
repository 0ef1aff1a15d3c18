import EventLoops
import Pkarr

/// The packets that one lookup of a key finds, each newer than the one before: the first is the fastest answer, the last
/// the newest of the whole network.
///
/// Each iteration is a lookup of its own, which ends when the iterator is released or its task cancelled.
public struct PacketUpdates: AsyncSequence, Sendable {
  /// A packet, with what is known about it at that time.
  public typealias Element = Resolution
  /// Why there is no packet, or why the last one is not the newest.
  public typealias Failure = ResolveError

  let client: PkarrClient
  let key: PublicKey

  /// Begins a lookup.
  public func makeAsyncIterator() -> Iterator { Iterator(client, key) }

  /// Waits for packets.
  public struct Iterator: AsyncIteratorProtocol {
    private var stream: AsyncStream<Result<Resolution, ResolveError>>.Iterator

    init(_ client: PkarrClient, _ key: PublicKey) {
      let (stream, continuation) = AsyncStream.makeStream(of: Result<Resolution, ResolveError>.self)
      let task = Task {
        await client.follow(key) {
          continuation.yield($0)
        } finally: {
          continuation.finish()
        }
      }
      continuation.onTermination = { _ in task.cancel() }
      self.stream = stream.makeAsyncIterator()
    }

    /// The next packet; nil at the end of the lookup.
    ///
    /// - Throws: `ResolveError` if there is none at all, or if something newer exists that is no packet.
    public mutating func next(
      isolation actor: isolated (any Actor)? = #isolation
    ) async throws(ResolveError) -> Resolution? {
      try await stream.next(isolation: actor)?.get()
    }

    /// The next packet; nil at the end of the lookup. Throws as ``next(isolation:)``.
    public mutating func next() async throws(ResolveError) -> Resolution? { try await next(isolation: nil) }
  }
}

/// What a key resolves to as time goes by: a lookup again and again.
///
/// Yields each packet that is newer than all before, and each failure that is not the same as the one before. Ends only
/// with its iterator or task.
public struct PacketWatch: AsyncSequence, Sendable {
  /// A newer packet, or why there is none at present.
  public typealias Element = Result<Resolution, ResolveError>
  /// It never fails.
  public typealias Failure = Never

  let client: PkarrClient
  let key: PublicKey
  let interval: Duration

  /// Begins with a lookup at once.
  public func makeAsyncIterator() -> Iterator { Iterator(watch: self) }

  /// Waits for newer packets.
  public struct Iterator: AsyncIteratorProtocol {
    private let watch: PacketWatch
    private var lookup: PacketUpdates.Iterator?
    private var newest: SignedPacket?
    private var lastFailure: ResolveError?
    private var hasBegun = false

    init(watch: PacketWatch) { self.watch = watch }

    /// The next packet or failure; nil once the task is cancelled.
    public mutating func next(
      isolation actor: isolated (any Actor)? = #isolation
    ) async -> Result<Resolution, ResolveError>? {
      while !Task.isCancelled {
        do throws(ResolveError) {
          if let resolution = try await nextOfLookup(isolation: actor) {
            lastFailure = nil
            if let newest, !resolution.packet.isMoreRecent(than: newest) { continue }
            newest = resolution.packet
            return .success(resolution)
          }
          lookup = nil
        } catch {
          lookup = nil
          if error == .cancelled { return nil }
          if error == lastFailure { continue }
          lastFailure = error
          return .failure(error)
        }
      }
      return nil
    }

    /// The next packet or failure; nil once the task is cancelled.
    public mutating func next() async -> Result<Resolution, ResolveError>? { await next(isolation: nil) }

    private mutating func nextOfLookup(
      isolation actor: isolated (any Actor)?
    ) async throws(ResolveError) -> Resolution? {
      if lookup == nil {
        if hasBegun, (try? await watch.client.clock.sleep(watch.interval)) == nil { throw .cancelled }
        hasBegun = true
        lookup = watch.client.updates(of: watch.key).makeAsyncIterator()
      }
      return try await lookup?.next(isolation: actor)
    }
  }
}

extension PkarrClient {
  /// The packets of a key that one lookup of all networks finds: the fastest answer at once, then each newer one.
  ///
  /// ```swift
  /// for try await resolution in client.updates(of: key) { show(resolution.packet) }
  /// ```
  public func updates(of key: PublicKey) -> PacketUpdates { PacketUpdates(client: self, key: key) }

  /// What a key resolves to as time goes by: looks it up now, and again and again with `interval` in between.
  public func watch(_ key: PublicKey, every interval: Duration = .seconds(60)) -> PacketWatch {
    PacketWatch(client: self, key: key, interval: interval)
  }

  /// Runs one lookup, and tells of each newer packet and of the error at its end, if there is one.
  func follow(
    _ key: PublicKey, _ yield: @escaping @Sendable (Result<Resolution, ResolveError>) -> Void,
    finally finish: @Sendable () -> Void
  ) async {
    defer { finish() }
    let told = LockedValue<SignedPacket?>(nil)
    let policy = configuration.cachePolicy
    let clock = clock
    let tell: @Sendable (ResolveAccumulator.Candidate, FreshnessReport) -> Void = { candidate, report in
      let isNews = told.withLock { told in
        if let last = told, !candidate.packet.isMoreRecent(than: last) { return false }
        told = candidate.packet
        return true
      }
      guard isNews else { return }
      yield(.success(Resolution(candidate, isStale: false, report: report, policy: policy, at: clock.wallClock())))
    }
    let race = await lookup(key, .networkOnly, cached: nil).run { candidate in
      self.cache?.offer(candidate.packet)
      tell(candidate, .nobody)
    }
    do throws(ResolveFailure) {
      let last = try conclude(race, key, cached: nil, allowsStale: false)
      tell(ResolveAccumulator.Candidate(packet: last.packet, source: last.source), last.report)
    } catch {
      yield(.failure(error.error))
    }
  }
}
