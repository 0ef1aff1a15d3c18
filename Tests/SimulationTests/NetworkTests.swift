import Addresses
import Cryptography
import MainlineProtocol
import MainlineSimulator
import Testing

/// The simulated network itself, with scripted peers at both ends.
@Suite struct NetworkTests {
  /// One peer that answers each datagram to it with `count` datagrams to another, which counts them.
  final class Exchange {
    let simulation: Simulation
    var arrivals: [(at: Instant, bytes: [UInt8])] = []

    init(seed: UInt64 = 1, conditions: NetworkConditions, count: Int) {
      simulation = Simulation(seed: seed, conditions: conditions)
      let trigger = simulation.unusedEndpoint()
      let sink = simulation.unusedEndpoint()
      simulation.addPeer(
        ScriptedPeer(at: trigger) { _, _, _ in
          (0..<count).map { number in
            ScriptedDatagram(
              from: trigger, to: sink, bytes: [UInt8(number >> 8), UInt8(number & 255), 0, 0, 0, 0, 0, 0])
          }
        })
      simulation.addPeer(
        ScriptedPeer(at: sink) { [unowned self] bytes, _, _ in
          arrivals.append((simulation.now, bytes))
          return []
        })
      simulation.inject([0], from: sink, to: trigger)
      simulation.run(for: .seconds(10))
    }
  }

  @Test("a network without faults delivers everything once and unchanged")
  func ideal() {
    let exchange = Exchange(conditions: .ideal, count: 1000)
    #expect(exchange.arrivals.count == 1000)
    #expect(Set(exchange.arrivals.map(\.bytes)).count == 1000)
    #expect(exchange.simulation.statistics.lost == 0)
  }

  @Test("loss, duplication and corruption meet about the share of datagrams that was asked for")
  func shares() {
    var conditions = NetworkConditions.ideal
    conditions.loss = 0.1
    conditions.duplication = 0.05
    conditions.corruption = 0.02
    let exchange = Exchange(conditions: conditions, count: 20_000)
    let statistics = exchange.simulation.statistics
    #expect((1800...2200).contains(statistics.lost))
    #expect((750...1050).contains(statistics.duplicated))
    #expect((270...480).contains(statistics.corrupted))
    let changed = exchange.arrivals.count { $0.bytes[2...] != [0, 0, 0, 0, 0, 0] }
    #expect((150...480).contains(changed))
  }

  @Test("datagrams that are held back are overtaken")
  func reordering() {
    var conditions = NetworkConditions.ideal
    conditions.reordering = 0.1
    let exchange = Exchange(conditions: conditions, count: 1000)
    #expect(exchange.arrivals.count == 1000)
    let numbers = exchange.arrivals.map { Int($0.bytes[0]) << 8 | Int($0.bytes[1]) }
    let overtaken = zip(numbers, numbers.dropFirst()).count { $0 > $1 }
    #expect((20...400).contains(overtaken))
    #expect(zip(exchange.arrivals, exchange.arrivals.dropFirst()).allSatisfy { $0.at <= $1.at })
  }

  @Test("the same seed gives the same faults, another seed others")
  func repeatable() {
    let runs = [3, 3, 4].map { Exchange(seed: $0, conditions: .hostile, count: 2000).simulation }
    #expect(runs[0].digest == runs[1].digest)
    #expect(runs[0].statistics == runs[1].statistics)
    #expect(runs[0].digest != runs[2].digest)
  }

  @Test("time passes only when it is told to, and then exactly")
  func clock() {
    let simulation = Simulation(seed: 1)
    let start = simulation.now
    simulation.run(for: .seconds(3600))
    #expect(start.duration(to: simulation.now) == .seconds(3600))
  }

  @Test("no address is given twice, and each could be on the public network")
  func endpoints() {
    let simulation = Simulation(seed: 1)
    let endpoints = (0..<5000).map { _ in simulation.unusedEndpoint() }
    #expect(Set(endpoints).count == 5000)
    #expect(endpoints.allSatisfy { $0.address.isGlobalUnicast })
  }
}
