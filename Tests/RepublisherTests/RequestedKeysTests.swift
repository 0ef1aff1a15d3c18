import MainlineProtocol
import Pkarr
import Testing

@testable import Republisher

@Suite("Which keys are kept alive because they are asked for")
struct RequestedKeysTests {
  private static let day = Duration.seconds(86_400)
  private let keys = RepublishScheduleTests.keys(40)
  /// In the middle of a window.
  private let start = Instant(nanoseconds: 86_400_000_000_000 * 100 + 43_200_000_000_000)

  private func requested(_ capacity: Int = 100, requests: Int = 1) -> RequestedKeys {
    RequestedKeys(.init(capacity: capacity, window: Self.day, requests: requests))
  }

  @Test("a key is wanted once it was asked for often enough, and is told of once")
  func threshold() {
    var requested = requested(requests: 3)
    requested.note(keys[1], at: start)
    for expected in [0, 0, 1, 0, 0] {
      requested.note(keys[0], at: start)
      let changes = requested.takeChanges(at: start)
      #expect(changes.came == (expected == 1 ? [keys[0]] : []) && changes.went.isEmpty)
    }
    #expect(requested.isTold(keys[0]) && !requested.isTold(keys[1]))
  }

  @Test("requests of this window and the one before count, older ones do not")
  func windows() {
    var near = requested(requests: 2)
    near.note(keys[0], at: start)
    near.note(keys[0], at: start.advanced(by: Self.day * 0.9))
    #expect(near.takeChanges(at: start.advanced(by: Self.day * 0.9)).came == [keys[0]])
    var far = requested(requests: 2)
    far.note(keys[0], at: start)
    far.note(keys[0], at: start.advanced(by: Self.day * 2))
    #expect(far.takeChanges(at: start.advanced(by: Self.day * 2)).came.isEmpty)
  }

  @Test("a key that nobody has asked for during a window is let go, and comes back when it is asked for again")
  func idle() {
    var requested = requested()
    requested.note(keys[0], at: start)
    requested.note(keys[1], at: start)
    #expect(Set(requested.takeChanges(at: start).came) == Set(keys[0...1]))
    let later = start.advanced(by: Self.day * 0.8)
    requested.note(keys[1], at: later)
    let next = start.advanced(by: Self.day * 1.1)
    let changes = requested.takeChanges(at: next)
    #expect(changes.came.isEmpty && changes.went == [keys[0]] && requested.count == 1)
    requested.note(keys[0], at: next)
    #expect(requested.takeChanges(at: next).came == [keys[0]])
  }

  @Test("the key asked for longest ago makes room; however many are asked for, no more are remembered")
  func bounded() {
    var requested = requested(4)
    for key in keys[0..<4] { requested.note(key, at: start) }
    #expect(Set(requested.takeChanges(at: start).came) == Set(keys[0..<4]))
    requested.note(keys[0], at: start)
    // Half of them push each other out before anybody is told.
    for key in keys[4..<40] { requested.note(key, at: start) }
    #expect(requested.count == 4)
    let changes = requested.takeChanges(at: start)
    #expect(Set(changes.came) == Set(keys[36..<40]) && Set(changes.went) == Set(keys[0..<4]))
  }

  @Test("a key that was pushed out and asked for again in between has neither come nor gone")
  func backInTime() {
    var requested = requested(2)
    for key in keys[0..<2] { requested.note(key, at: start) }
    _ = requested.takeChanges(at: start)
    requested.note(keys[2], at: start)
    requested.note(keys[0], at: start)
    let changes = requested.takeChanges(at: start)
    #expect(changes.came == [keys[2]] && changes.went == [keys[1]])
    #expect(requested.isTold(keys[0]) && requested.isTold(keys[2]) && !requested.isTold(keys[1]))
  }

  @Test("with a smaller bound those asked for last stay")
  func smaller() {
    var requested = requested(10)
    for key in keys[0..<10] { requested.note(key, at: start) }
    _ = requested.takeChanges(at: start)
    requested.change(.init(capacity: 3, window: Self.day, requests: 1))
    #expect(requested.count == 3)
    let changes = requested.takeChanges(at: start)
    #expect(changes.came.isEmpty && Set(changes.went) == Set(keys[0..<7]))
  }
}
