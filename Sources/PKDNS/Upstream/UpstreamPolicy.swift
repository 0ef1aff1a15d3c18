import EventLoops

/// How questions are forwarded.
public struct UpstreamPolicy: Hashable, Sendable {
  /// After which time without any answer a question is given up.
  public var deadline: Duration = .seconds(5)
  /// Questions under way at the same time; further ones fail at once.
  public var maximumQuestions = 2048
  /// Most attempts for one question, over all servers.
  public var maximumAttempts = 5
  /// Whether letters are sent in random case over UDP.
  public var mixesCase = true
  /// Wrong messages from a server's address until a question goes over TCP, where nobody can forge them.
  public var wrongAnswersTolerated = 8

  /// The defaults.
  public init() {}
}

/// What became of a question that was forwarded.
public enum UpstreamResult: Hashable, Sendable {
  /// A message that repeats the question as it was asked, with identifier 0; not checked beyond that.
  case answer([UInt8], from: UpstreamServer)
  /// Nobody gave an answer.
  case failure(UpstreamFailure)
}

/// Why there is no answer from upstream.
public enum UpstreamFailure: Error, Hashable, Sendable {
  /// Nobody answered in time.
  case timedOut
  /// The system says that nobody can be reached; an error number, such as that of `ECONNREFUSED`.
  case unreachable(Int32)
  /// A connection could not be made or broke: TLS, HTTP, or the other end closed it.
  case connection
  /// The answer did not even fit over TCP.
  case truncated
  /// Too many questions are under way.
  case busy
  /// There is no server to ask.
  case noServer
}

extension UpstreamFailure: CustomStringConvertible {
  /// A few words for a log or a status page.
  public var description: String {
    switch self {
    case .timedOut: "no answer in time"
    case .unreachable(let code): "\(SystemError(code: code, operation: "not reachable"))"
    case .connection: "the connection could not be made or broke"
    case .truncated: "the answer is cut off"
    case .busy: "too many questions are under way"
    case .noServer: "there is no server to ask"
    }
  }
}
