import EventLoops
import Testing

@testable import HTTP

@Suite("The port of a server")
struct SharedPortTests {
  @Test("loops share it, but no other server does", arguments: [1, 2])
  func notShared(loops: Int) async throws {
    let _: Void = try await withServer(loops: loops, handler: { _ in .text("first") }) { _, endpoint in
      await #expect {
        let _: Void = try await withServer(
          loops: 2, configure: { $0.addresses = [.tcp(endpoint)] }, handler: { _ in .text("second") }
        ) { _, _ in }
      } throws: {
        ($0 as? SystemError)?.isAddressInUse == true
      }
    }
  }
}
