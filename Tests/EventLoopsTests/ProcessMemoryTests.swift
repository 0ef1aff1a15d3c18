import EventLoops
import Testing

@Suite struct ProcessMemoryTests {
  @Test("a program goes on after it has given back the code of its start")
  func release() async throws {
    for _ in 0..<3 {
      ProcessMemory.releaseCodeOfStart()
      // Back again, with the addresses that were filled in at the start.
      #expect((0..<100).map { "\($0 * $0)" }.joined(separator: ",").hasSuffix("9801"))
      let isOnLoop = try await withLoop { loop in try await loop.value { loop.isOnLoop } }
      #expect(isOnLoop)
    }
  }
}
