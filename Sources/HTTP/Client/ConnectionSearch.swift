import EventLoops

/// Finds a connection for one request: runs a ``ConnectionRace`` between the places where the host may be. One task uses it.
struct ConnectionSearch {
  private enum Event: Sendable {
    case candidate(HTTPRoute?)
    case searchFailed(any Error)
    case connected(Int, ClientConnection)
    case failed(Int, HTTPError)
    case time
  }

  private let host: String
  private let key: ClientPool.Key
  private let pool: ClientPool
  private let candidates: AsyncThrowingStream<HTTPRoute, any Error>
  /// Whether a connection without encryption is refused.
  private let needsEncryption: Bool
  private var race: ConnectionRace
  private var reasons: [String] = []
  private var searchError: (any Error)?
  private var winner: ClientConnection?

  /// Reasons that an error names at most.
  private static let maximumReasons = 16

  init(
    host: String, key: ClientPool.Key, pool: ClientPool, candidates: AsyncThrowingStream<HTTPRoute, any Error>,
    needsEncryption: Bool
  ) {
    self.host = host
    self.key = key
    self.pool = pool
    self.candidates = candidates
    self.needsEncryption = needsEncryption
    race = ConnectionRace(delay: pool.configuration.attemptDelay.clampedNanoseconds)
  }

  /// Connects to the first candidate that can be reached and proves to be the right one. All other attempts have ended when
  /// this returns.
  mutating func run() async throws(HTTPError) -> ClientConnection {
    await withTaskGroup(of: Event.self) { group in
      await compete(&group)
      group.cancelAll()
      // Somebody may have connected at the moment when all was over.
      for await case .connected(_, let connection) in group { close(connection) }
    }
    if Task.isCancelled {
      if let winner { close(winner) }
      throw .connectionClosed
    }
    if let winner { return winner }
    if let error = searchError as? HTTPError { throw error }
    if let searchError { throw .cannotConnect("\(host): \(searchError)") }
    throw .cannotConnect(reasons.isEmpty ? "\(host) has no address" : reasons.joined(separator: "; "))
  }

  private mutating func compete(_ group: inout TaskGroup<Event>) async {
    var alarm: UInt64?
    while !Task.isCancelled {
      switch race.next(at: MonotonicClock.now) {
      case .over: return
      case .find:
        let candidates = candidates
        group.addTask {
          do {
            var iterator = candidates.makeAsyncIterator()
            return .candidate(try await iterator.next())
          } catch {
            return .searchFailed(error)
          }
        }
        continue
      case .wait(let time):
        if let time, time != alarm {
          alarm = time
          let loop = pool.loop
          group.addTask {
            try? await loop.sleep(until: time)
            return .time
          }
        }
      }
      guard let event = await group.next() else { return }
      take(event, &group)
    }
  }

  private mutating func take(_ event: Event, _ group: inout TaskGroup<Event>) {
    switch event {
    case .time: break
    case .candidate(nil): race.foundNothing()
    case .candidate(let route?):
      if needsEncryption, route.identity == .plain {
        searchError = HTTPError.badRedirect("from an encrypted connection to one that is not")
        return race.foundNothing()
      }
      let attempt = race.found(at: MonotonicClock.now)
      let (key, pool) = (key, pool)
      group.addTask {
        do throws(HTTPError) {
          return .connected(attempt, try await ClientConnection.connect(route, for: key, in: pool))
        } catch {
          return .failed(attempt, error)
        }
      }
    case .searchFailed(let error):
      searchError = error
      race.foundNothing()
    case .connected(let attempt, let connection):
      if race.connected(attempt) { winner = connection } else { close(connection) }
    case .failed(let attempt, let error): fail(attempt, error)
    }
  }

  private mutating func fail(_ attempt: Int, _ error: HTTPError) {
    race.failed(attempt)
    guard reasons.count < Self.maximumReasons else { return }
    if case .cannotConnect(let reason) = error { reasons.append(reason) } else { reasons.append("\(error)") }
  }

  private func close(_ connection: ClientConnection) { pool.loop.execute { connection.close() } }
}
