import Addresses
import EventLoops
import HTTP
import Pkarr

@testable import PkarrRelay

/// A relay in this process that serves the real page and answers whatever a test wants.
final class LyingRelay: Sendable {
  typealias Answer = @Sendable (HTTPRequest) async throws -> HTTPResponse

  private let loop: EventLoop
  private let server: HTTPServer
  private let answers: AnswerBox

  private final class AnswerBox: Sendable {
    let answer: LockedValue<Answer>
    init(_ answer: @escaping Answer) { self.answer = LockedValue(answer) }
  }

  /// `http://127.0.0.1:PORT`
  var url: String { "http://\(server.localEndpoints[0])" }

  /// Runs a body with a relay, and stops that afterwards.
  static func run(_ answer: @escaping Answer, _ body: (LyingRelay) async throws -> Void) async throws {
    let relay = try await LyingRelay(answer)
    do {
      try await body(relay)
    } catch {
      await relay.server.shutdown(grace: .zero)
      throw error
    }
    await relay.server.shutdown(grace: .zero)
  }

  private init(_ answer: @escaping Answer) async throws {
    loop = try EventLoop(name: "lying-relay")
    try loop.start()
    let answers = AnswerBox(answer)
    self.answers = answers
    server = HTTPServer(HTTPServerConfiguration(Endpoint(.loopbackV4, port: 0)), on: [loop]) { request in
      if request.target.path == "/" { return WebApp.response(to: request) }
      return try await answers.answer.withLock { $0 }(request)
    }
    try await server.start()
  }

  deinit { loop.requestStop() }

  /// Answers otherwise from now on.
  func change(_ answer: @escaping Answer) { answers.answer.withLock { $0 = answer } }

  /// A packet, last seen on the network some seconds ago.
  static func packet(_ payload: [UInt8], seen secondsAgo: UInt64? = 0) -> HTTPResponse {
    var fields: HTTPFields = [.contentType: "application/pkarr.org/relays#payload"]
    if let secondsAgo, let date = Timestamp.wallClock.subtracting(seconds: secondsAgo).httpDate {
      fields.append("memento-datetime", date)
    }
    return HTTPResponse(.ok, fields: fields, body: .bytes(payload))
  }
}
