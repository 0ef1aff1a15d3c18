import Cryptography
import Foundation
import MainlineProtocol
import MainlineSimulator
import Testing

/// Numbers that a longer run sets from outside: `SIMULATION_NODES=1000 swift test -c release …`
func parameter(_ name: String, _ standard: Int) -> Int {
  ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
}

/// A record of a key made of one repeated byte.
func record(_ byte: UInt8, seq: Int64 = 1, text: String = "hello") throws -> MutableItem {
  try MutableItem(
    signedBy: Ed25519.SecretKey(seed: [UInt8](repeating: byte, count: 32))!, seq: seq, bytes: Array(text.utf8))
}

extension Simulation {
  /// What a node finds under the key of `item`.
  func find(_ item: MutableItem, from node: SimulatedNode) -> (item: MutableItem?, outcome: GetOutcome)? {
    guard
      case .mutable(let found, let outcome)? = result(
        of: .getMutable(key: item.key, salt: item.salt, newerThan: nil), on: node)
    else { return nil }
    return (found, outcome)
  }
}

@Suite(.timeLimit(.minutes(10))) struct LookupTests {
  @Test("on a network that loses, reorders, repeats and damages, a record survives that half of the nodes leave")
  func hostileNetwork() throws {
    let simulation = Simulation(seed: 11)
    simulation.grow(by: parameter("SIMULATION_NODES", 1000), spacing: .milliseconds(20))
    simulation.conditions = .hostile
    let writer = simulation.addClient(bootstrap: simulation.bootstrapEndpoints())
    let reader = simulation.addClient(bootstrap: simulation.bootstrapEndpoints())
    simulation.run(for: .seconds(20))
    let items = try (1...10).map { try record($0) }
    for item in items {
      guard case .stored(let outcome)? = simulation.result(of: .putMutable(item, PutOptions()), on: writer) else {
        Issue.record("not stored")
        continue
      }
      #expect(outcome.stored >= 10)
    }
    for node in simulation.presentNodes.shuffled(using: &simulation.random).prefix(simulation.presentNodes.count / 2)
    where node !== reader && node !== writer {
      simulation.remove(node)
    }
    for item in items {
      let answer = try #require(simulation.find(item, from: reader))
      #expect(answer.item == item)
      #expect(answer.outcome.holdersOfNewest >= 1)
    }
    #expect(simulation.statistics.lost > 0 && simulation.statistics.corrupted > 0)
    #expect(simulation.statistics.largestDatagram <= 1452)
  }

  @Test("the same seed gives the same run, another seed another")
  func repeatable() throws {
    let runs = try [5, 5, 6].map { (seed: UInt64) in
      let simulation = Simulation(seed: seed, conditions: .hostile)
      simulation.grow(by: 60)
      let node = try #require(simulation.randomNode())
      _ = simulation.result(of: .putMutable(try record(1), PutOptions()), on: node)
      for leaver in simulation.presentNodes.prefix(20) { simulation.remove(leaver) }
      simulation.run(for: .seconds(1200))
      return (simulation.digest, simulation.statistics)
    }
    #expect(runs[0].1.delivered > 10_000)
    #expect(runs[0].0 == runs[1].0)
    #expect(runs[0].1 == runs[1].1)
    #expect(runs[0].0 != runs[2].0)
  }
}
