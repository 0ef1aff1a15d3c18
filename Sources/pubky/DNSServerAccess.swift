import Addresses
import CommandLineTool
import Configuration
import EventLoops
import Glibc
import HTTP
import PKDNS
import PlainText

/// The way to a running DNS server for those who run it: its address, or its Unix socket.
struct DNSServerAccess: Sendable {
  private static let admin = Option<Endpoint>(
    "admin", value: "ADDRESS:PORT", "The server's admin.listen",
    parse: { (text: String) throws(InvalidValue) in
      guard let endpoint = Endpoint(text) else { throw InvalidValue("\"\(text)\" is not ADDRESS:PORT") }
      return endpoint
    })
  private static let socket = Option(
    "socket", value: "PATH", completion: .file, "The server's admin.socket")

  /// What tells where the server is.
  static let options = [
    admin.specification, socket.specification, DNSCommand.configurationFile.specification,
  ]

  private enum Target: Sendable {
    case tcp(Endpoint)
    case unix(String)
  }

  private let target: Target

  /// Where the options say, or the settings that they name.
  init(_ arguments: ParsedArguments) throws(CommandError) { target = try Self.target(arguments) }

  /// Most bytes of an answer.
  private static let answerLimit = 1 << 20

  private static func target(_ arguments: ParsedArguments) throws(CommandError) -> Target {
    if let path = arguments[socket] { return .unix(path) }
    if let endpoint = arguments[admin] { return .tcp(endpoint) }
    if let file = arguments[DNSCommand.configurationFile] {
      do throws(ConfigurationError) {
        let settings = try PKDNSConfiguration.load(file).admin
        if let path = settings.socket { return .unix(path) }
        if let endpoint = settings.listen { return .tcp(endpoint) }
      } catch {
        throw ConfigurationFailure.explain(error)
      }
      throw .input("\(file) has neither admin.listen nor admin.socket")
    }
    throw .usage("where is the server?", advice: "Name it with --admin ADDRESS:PORT, --socket PATH or --config FILE.")
  }

  /// Sends a request; the status and what came back.
  func send(_ method: HTTPMethod, _ path: String) async throws(CommandError) -> (status: Int, body: String) {
    do {
      switch target {
      case .unix(let file): return try await Self.sendOverUnix(method, path, file)
      case .tcp(let endpoint):
        guard let url = HTTPURL("http://\(endpoint)\(path)") else { throw HTTPError.badURL(path) }
        let (response, body) = try await HTTPClient().fetch(
          HTTPClientRequest(method, url), upTo: Self.answerLimit, timeout: .seconds(40))
        return (response.status.code, String(decoding: body, as: UTF8.self))
      }
    } catch {
      throw CommandError("not_reached", "the server cannot be reached: \(error)", exitCode: .refused)
    }
  }

  /// One request over a Unix socket, on a thread that may wait.
  private static func sendOverUnix(
    _ method: HTTPMethod, _ path: String, _ file: String
  ) async throws -> (status: Int, body: String) {
    let result = await OwnThread.run("dns-admin") { () -> Result<[UInt8], any Error> in
      Result {
        let socket = try StreamSocket(connectingToPath: file)
        let request = "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        var rest = Array(request.utf8)[...]
        while !rest.isEmpty {
          wait(socket, for: POLLOUT)
          rest = rest.dropFirst(try rest.withUnsafeBytes { try socket.write($0) } ?? 0)
        }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while answer.count < answerLimit {
          wait(socket, for: POLLIN)
          guard let count = try piece.withUnsafeMutableBytes({ try socket.read(into: $0) }) else {
            throw SystemError(code: ETIMEDOUT, operation: "read")
          }
          if count == 0 { break }
          answer += piece[..<count]
        }
        return answer
      }
    }
    let text = String(decoding: try result.get(), as: UTF8.self)
    let status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    let body = text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
    return (status, body)
  }

  private static func wait(_ socket: StreamSocket, for events: Int32) {
    var entry = pollfd(fd: socket.descriptor, events: Int16(events), revents: 0)
    poll(&entry, 1, 40_000)
  }
}
