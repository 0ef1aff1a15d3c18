import DNSResolution
import DNSWire
import EventLoops
import Pkarr
import TLS

/// Asks a DNS server what its clients would, and tells how it answers.
public struct ServerCheck: Sendable {
  /// One question and what came of it.
  public struct Outcome: Sendable {
    /// The server, with the transport.
    public var server: UpstreamServer
    /// What was asked.
    public var name: DomainName
    /// True if the name is one of a key.
    public var isKey: Bool
    /// How long the answer took, or the failure.
    public var took: Duration
    /// The response code and the number of answers, or why there is no answer.
    public var result: Result<(code: UInt8, answers: Int), UpstreamFailure>
    /// Why the server says it failed (RFC 8914); empty if it does not.
    public var explanation: String

    /// True if there is an answer with records.
    public var isGood: Bool {
      if case .success(let answer) = result { answer.code == 0 && answer.answers > 0 } else { false }
    }
  }

  /// An ordinary name that exists.
  public var name: DomainName
  /// A name of a key that exists.
  public var keyName: DomainName
  /// Whose certificates are believed.
  public var trust = TLSClientConfiguration.Trust.system

  /// Asks for these two names.
  public init(name: DomainName, keyName: DomainName) {
    self.name = name
    self.keyName = keyName
  }

  /// The ways to ask a server: one that was named without a transport is asked over UDP and TCP.
  public static func transports(of server: UpstreamServer) -> [UpstreamServer] {
    server.transport == .datagrams ? [server, UpstreamServer(server.endpoint, .stream)] : [server]
  }

  /// Asks a server for both names, over one transport. The loop must be running.
  public func run(_ server: UpstreamServer, on loop: EventLoop) async -> [Outcome] {
    var configuration = UpstreamClient.Configuration()
    configuration.trust = trust
    let client = UpstreamClient([server], configuration, on: loop)
    var outcomes: [Outcome] = []
    for (name, isKey) in [(name, false), (keyName, true)] {
      let start = MonotonicClock.now
      let result = await client.answer(to: UpstreamQuestion(name, .a))
      let took = Duration.nanoseconds(Int64(clamping: MonotonicClock.now &- start))
      outcomes.append(Self.outcome(server, name, isKey, took, result))
    }
    await loop.submit { client.close() }
    return outcomes
  }

  private static func outcome(
    _ server: UpstreamServer, _ name: DomainName, _ isKey: Bool, _ took: Duration, _ result: UpstreamResult
  ) -> Outcome {
    switch result {
    case .failure(let failure):
      return Outcome(
        server: server, name: name, isKey: isKey, took: took, result: .failure(failure), explanation: "")
    case .answer(let bytes, _):
      let answers = bytes.count >= 12 ? Int(bytes[6]) << 8 | Int(bytes[7]) : 0
      let explanation = AnswerJSON.extendedErrors(bytes).map(\.text).filter { !$0.isEmpty }.joined(separator: "; ")
      return Outcome(
        server: server, name: name, isKey: isKey, took: took, result: .success((bytes[3] & 15, answers)),
        explanation: explanation)
    }
  }
}
