import EventLoops
import MainlineProtocol
import Pkarr

/// Asks the DHT and relays for a key at the same time, as `ResolveRace` decides.
struct NetworkLookup: Sendable {
  let key: PublicKey
  let policy: ResolvePolicy
  let context: CacheContext?
  let dht: DHTClient?
  let relays: [RelayClient]
  let clock: ClientClock
  let times: RelayTimes

  private enum Event: Sendable {
    case relay(Int, Result<SignedPacket, RelayError>, after: Duration)
    case packet(Int, SignedPacket?)
    case completion(DHTCompletion)
    case graceOver
  }

  /// Runs to the end; `onNewest` hears of each packet that is newer than those before. What is not waited for is
  /// cancelled, and so is everything when the task is.
  func run(onNewest: @Sendable (ResolveAccumulator.Candidate) -> Void = { _ in }) async -> ResolveRace {
    var race = ResolveRace(policy: policy, context: context, relays: relays.map(\.url), asksDHT: dht != nil)
    if race.isOver { return race }
    let start = clock.now()
    let resolution = policy == .cacheOnly ? nil : dht?.resolve(key, newerThan: context?.dhtBound)
    await withTaskGroup(of: Event.self) { group in
      for index in relays.indices { group.addTask { await ask(index, since: start) } }
      if let resolution { group.addTask { .packet(0, await resolution.packet(at: 0)) } }
      var isGraceGiven = false
      var slowest = Duration.zero
      while let event = await group.next() {
        let newest = race.newest
        switch event {
        case .relay(let index, let result, let time):
          race.relayEnded(index, result, at: clock.wallClock())
          slowest = max(slowest, time)
        case .packet(let index, let packet?):
          race.dhtFound(packet, at: clock.wallClock())
          if let resolution { group.addTask { .packet(index + 1, await resolution.packet(at: index + 1)) } }
        case .packet(_, nil):
          if let resolution { group.addTask { .completion(await resolution.completion()) } }
        case .completion(let completion): race.dhtEnded(completion, at: clock.wallClock())
        case .graceOver: race.graceEnded()
        }
        if let candidate = race.newest, newest.map({ candidate.packet.isMoreRecent(than: $0.packet) }) ?? true {
          onNewest(candidate)
        }
        if race.isOver { break }
        if !isGraceGiven, race.isAgreed {
          isGraceGiven = true
          let pending = race.pendingRelays.map { times.expected(relays[$0].url) }
          let time = Grace.time(pending: pending, elapsed: clock.elapsed(since: start), slowest: slowest)
          group.addTask {
            try? await clock.sleep(time)
            return .graceOver
          }
        }
      }
      group.cancelAll()
    }
    return race
  }

  private func ask(_ index: Int, since start: UInt64) async -> Event {
    let relay = relays[index]
    let result: Result<SignedPacket, RelayError>
    do throws(RelayError) {
      result = .success(try await relay.resolve(key, policy: policy, newerThan: context?.relayBound))
    } catch {
      result = .failure(error)
    }
    let time = clock.elapsed(since: start)
    if policy == .networkOnly {
      switch result {
      case .success, .failure(.notFound): times.add(time, of: relay.url)
      case .failure: break
      }
    }
    return .relay(index, result, after: time)
  }
}

/// How long each relay takes to answer when it has to ask the network.
final class RelayTimes: Sendable {
  private let times = LockedValue<[RelayURL: AnswerTimes]>([:])

  func add(_ time: Duration, of url: RelayURL) { times.withLock { $0[url, default: AnswerTimes()].add(time) } }

  func expected(_ url: RelayURL) -> Duration? { times.withLock { $0[url]?.expected } }
}
