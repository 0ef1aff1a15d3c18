import Addresses
import Testing

@testable import EventLoops

@Suite("Host names")
struct HostTests {
  @Test(
    "host and port are read, and written back the same",
    arguments: ["router.example:6881", "192.0.2.1:1", "[2001:db8::1]:65535", "a-b_c.example.:80", "localhost:6881"])
  func valid(text: String) throws {
    let name = try #require(HostName(text))
    #expect(name.description == text)
    #expect((name.endpoint == nil) == text.contains(where: \.isLetter) || text.hasPrefix("["))
  }

  @Test(
    "what is not a host and a port is refused",
    arguments: [
      "", ":", "host", "host:", ":80", "host:0", "host:65536", "host:+80", "host:8o", "ho st:80", "-host:80",
      "2001:db8::1:80", "[2001:db8::1]", "192.0.2.1:0", "10.1:80", "192.0.2.256:80", "h\u{f6}st:80", "host/x:80",
    ])
  func invalid(text: String) { #expect(HostName(text) == nil) }

  @Test("a host name has at most 253 bytes")
  func length() {
    #expect(HostName(String(repeating: "a", count: 253) + ":1") != nil)
    #expect(HostName(String(repeating: "a", count: 254) + ":1") == nil)
  }

  @Test("an address resolves to itself, localhost to the loopback")
  func resolve() async throws {
    let v6 = try #require(HostName("[::1]:53"))
    #expect(try await HostResolver.resolve(v6) == [Endpoint(.loopbackV6, port: 53)])
    let local = try await HostResolver.resolve(#require(HostName("localhost:6881")), timeLimit: .seconds(60))
    #expect(!local.isEmpty && local.allSatisfy { $0.address.isLoopback && $0.port == 6881 })
  }

  @Test("a question that nobody answers ends after its time limit, another one when its task is cancelled")
  func timeLimit() async throws {
    let gate = Gate()
    await #expect(throws: HostResolver.Failure.timedOut) {
      try await HostResolver.race(timeLimit: .milliseconds(5)) { () -> Result<Int, HostResolver.Failure> in
        gate.wait()
        return .success(1)
      }
    }
    let task = Task {
      try await HostResolver.race(timeLimit: .seconds(3600)) { () -> Result<Int, HostResolver.Failure> in
        gate.wait()
        return .success(1)
      }
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    gate.open()
  }

  @Test("many questions are answered, failures as well")
  func answers() async throws {
    for number in 0..<100 {
      let value = try await HostResolver.race(timeLimit: .seconds(60)) { .success(number) }
      #expect(value == number)
    }
    await #expect(throws: HostResolver.Failure.notFound("x")) {
      try await HostResolver.race(timeLimit: .seconds(60)) { () -> Result<Int, HostResolver.Failure> in
        .failure(.notFound("x"))
      }
    }
  }
}
