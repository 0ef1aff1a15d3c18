import Foundation
import TestSupport
import Testing

@testable import EventLoops

@Suite("A service manager", .serialized)
struct ServiceManagerTests {
  @Test("it hears each state in the words of sd_notify, one datagram for each")
  func states() throws {
    let socket = try NotifySocket()
    let manager = ServiceManager(path: socket.path)
    manager.tell(.ready)
    #expect(socket.next() == "READY=1")
    manager.tell(.reloading)
    #expect(socket.next().wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=\d+/) != nil)
    manager.tell(.stopping)
    #expect(socket.next() == "STOPPING=1")
    manager.tell(.alive)
    #expect(socket.next() == "WATCHDOG=1")
    #expect(socket.poll() == nil)
  }

  @Test("a manager that does not listen, or a path that is too long, stops nothing")
  func absent() {
    for path in ["/nowhere/notify", "@nobody-\(UUID().uuidString)", "/" + String(repeating: "x", count: 200)] {
      ServiceManager(path: path).tell(.ready)
    }
  }

  @Test("it hears that the service is alive as long as its loops are, until the task is cancelled")
  func watchdog() async throws {
    let socket = try NotifySocket()
    let loop = try EventLoop(name: "alive")
    try loop.start()
    let manager = ServiceManager(path: socket.path, watchdog: .milliseconds(2))
    let task = Task { await manager.keepAlive([loop]) }
    for _ in 0..<3 { #expect(socket.next() == "WATCHDOG=1") }
    task.cancel()
    await task.value
    // Without a watchdog there is nothing to do.
    await ServiceManager(path: socket.path).keepAlive([loop])
    await loop.shutdown()
  }

  @Test("the environment names it, and its watchdog if that is meant for this process")
  func environment() {
    func take(_ values: [String: String]) -> ServiceManager? { ServiceManager { values[$0] } }
    #expect(take([:]) == nil)
    #expect(take(["NOTIFY_SOCKET": "relative"]) == nil)
    #expect(take(["NOTIFY_SOCKET": "@"]) == nil)
    #expect(take(["NOTIFY_SOCKET": "@name"])?.watchdog == nil)
    let mine = ["NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "\(getpid())"]
    #expect(take(mine)?.watchdog == .seconds(30))
    #expect(take(mine.merging(["WATCHDOG_PID": "1"]) { $1 })?.watchdog == nil)
    #expect(take(mine.merging(["WATCHDOG_USEC": "-5"]) { $1 })?.watchdog == nil)
  }
}
