import Addresses
import Cryptography
import MainlineProtocol
import Testing

@testable import MainlineSimulator

/// What the simulated network is made of: distances, sessions, routers.
@Suite struct ConditionsTests {
  @Test("over a wide area half of the round trips take more than 140 ms, one of a hundred more than 300 ms")
  func wideArea() {
    var random = Xoshiro256(seed: 1)
    let places = (0..<2000).map { _ in LatencyModel.wideArea.place(using: &random) }
    let trips = zip(places, places.dropFirst()).map { a, b in
      Double(LatencyModel.wideArea.delay(from: a, to: b) * 2) / 1e6
    }.sorted()
    #expect((120.0...160).contains(trips[1000]), "\(trips[1000])")
    #expect((260.0...350).contains(trips[1980]), "\(trips[1980])")
    #expect(trips[0] > 0)
  }

  @Test("between two places it takes as long in both directions, and always as long")
  func stable() {
    var random = Xoshiro256(seed: 2)
    for model in [LatencyModel.wideArea, .constant(.milliseconds(20)), .access(.milliseconds(5) ... .milliseconds(60))]
    {
      let (a, b) = (model.place(using: &random), model.place(using: &random))
      #expect(model.delay(from: a, to: b) == model.delay(from: b, to: a))
      #expect(model.delay(from: a, to: b) == model.delay(from: a, to: b))
    }
    let constant = LatencyModel.constant(.milliseconds(20))
    let place = constant.place(using: &random)
    #expect(constant.delay(from: place, to: place) == 20_000_000)
  }

  /// How many of `count` draws exceed each time.
  func shares(_ times: [Duration], count: Int, _ draw: () -> Duration?) -> [Double] {
    let draws = (0..<count).map { _ in draw() }
    return times.map { time in Double(draws.count { $0.map { $0 > time } ?? true }) / Double(count) }
  }

  @Test("what nodes have left follows the measured law")
  func residuals() {
    var random = Xoshiro256(seed: 3)
    let times: [Duration] = [1, 6, 24, 48].map { .seconds($0 * 3600) }
    let drawn = shares(times, count: 20_000) { SessionTimes.measured.residual(using: &random) }
    for (time, share) in zip(times, drawn) {
      #expect(abs(share - SessionTimes.measured.survival(after: time)) < 0.015, "\(time): \(share)")
    }
  }

  @Test("in a network whose nodes are replaced for days, what the nodes have left still follows that law")
  func stationary() {
    var random = Xoshiro256(seed: 4)
    // Places of a network, each taken by one session after the other; looked at after five days.
    let moment = 5 * 86_400.0
    var rests: [Duration] = []
    for _ in 0..<4000 {
      var time = SessionTimes.measured.residual(using: &random)!.inSeconds
      while time < moment { time += SessionTimes.measured.session(using: &random)!.inSeconds }
      rests.append(.seconds(time - moment))
    }
    for hours in [1.0, 6, 24] {
      let time = Duration.seconds(hours * 3600)
      let share = Double(rests.count { $0 > time }) / 4000
      #expect(abs(share - SessionTimes.measured.survival(after: time)) < 0.03, "\(hours) h: \(share)")
    }
  }

  @Test("nobody leaves where sessions are endless, and a mean is a mean")
  func otherSessions() {
    var random = Xoshiro256(seed: 5)
    #expect(SessionTimes.endless.session(using: &random) == nil)
    let mean = (0..<20_000).reduce(0.0) { sum, _ in
      sum + SessionTimes.exponential(mean: .seconds(100)).session(using: &random)!.inSeconds / 20_000
    }
    #expect((97.0...103).contains(mean))
  }

  // MARK: Routers

  let outside = Endpoint("203.0.113.1:6881")!
  let friend = Endpoint("198.51.100.1:6881")!
  let friendsOtherPort = Endpoint("198.51.100.1:7000")!
  let stranger = Endpoint("192.0.2.9:6881")!
  static let second: Int64 = 1_000_000_000

  @Test(
    "each kind of router lets in whom its kind lets in, and nobody after the mapping is gone",
    arguments: [
      (NATKind.fullCone, [true, true, true]), (.addressRestricted, [true, true, false]),
      (.portRestricted, [true, false, false]), (.symmetric, [true, false, false]),
    ])
  func routers(_ kind: NATKind, _ expected: [Bool]) {
    var router = NATRouter(kind, at: outside)
    #expect(!router.admits(friend, to: outside.port, at: 0))
    let source = router.send(to: friend, at: 0)
    #expect((source == outside) == (kind != .symmetric))
    let admitted = [friend, friendsOtherPort, stranger].map { router.admits($0, to: source.port, at: Self.second) }
    #expect(admitted == expected)
    #expect(!router.admits(friend, to: source.port + 1, at: Self.second))
    #expect(!router.admits(friend, to: source.port, at: 121 * Self.second))
    // What goes out keeps it open.
    _ = router.send(to: friend, at: 100 * Self.second)
    #expect(router.admits(friend, to: router.send(to: friend, at: 100 * Self.second).port, at: 200 * Self.second))
  }

  @Test("a symmetric router gives each destination a port of its own, and what it remembers stays bounded")
  func symmetric() {
    var router = NATRouter(.symmetric, at: outside)
    let first = router.send(to: friend, at: 0)
    #expect(router.send(to: friend, at: 1) == first)
    #expect(router.send(to: stranger, at: 2) != first)
    for number in 0..<200_000 {
      let other = Endpoint(IPAddress(v4: UInt32(0x0800_0000 + number)), port: 1)
      _ = router.send(to: other, at: Int64(number) * Self.second)
    }
    #expect(router.remembered <= 2 * 1024)
  }
}
