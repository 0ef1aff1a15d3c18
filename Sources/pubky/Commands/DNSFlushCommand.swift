import Addresses
import CommandLineTool
import Configuration
import EventLoops
import Glibc
import HTTP
import PKDNS
import PlainText

/// `pubky dns flush`
enum DNSFlushCommand {
  private static let name = Argument("NAME", "The name, or the key")
  private static let subtree = Flag("subtree", "Forget all names below it as well")
  private static let admin = Option<Endpoint>(
    "admin", value: "ADDRESS:PORT", "The server's admin.listen",
    parse: { (text: String) throws(InvalidValue) in
      guard let endpoint = Endpoint(text) else { throw InvalidValue("\"\(text)\" is not ADDRESS:PORT") }
      return endpoint
    })
  private static let socket = Option(
    "socket", value: "PATH", completion: .file, "The server's admin.socket")

  static let command: Command = .init(
    "flush", "Make a running DNS server forget a name",
    discussion: """
      The next query for the name asks the network again. Where the server is reached is told by --admin or --socket, or \
      read from its settings (--config).
      """,
    arguments: [name.specification],
    options: [
      subtree.specification, admin.specification, socket.specification, DNSCommand.configurationFile.specification,
      SharedOptions.json.specification,
    ],
    examples: [.init("pubky dns flush www.example.com --admin 127.0.0.1:9153", "Forget one name")],
    action: { arguments, console in
      let target = try target(arguments)
      let name = try arguments.required(name)
      let path = "/flush?name=\(PercentEncoding.encode(name))\(arguments[subtree] ? "&subtree=1" : "")"
      let (status, body) = try await post(path, to: target)
      guard status == 200 else {
        throw CommandError.input("the server refuses: \(ControlCharacters.escape(body.prefix(200).description))")
      }
      let count = body.split(separator: ":").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
      if console.isJSON {
        try console.print(json: ["flushed": JSON(count)])
      } else {
        try console.print("Forgot \(NumberText.count(count, "answer")) for \(name).")
      }
    })

  private enum Target: Sendable {
    case tcp(Endpoint)
    case unix(String)
  }

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

  private static func post(_ path: String, to target: Target) async throws(CommandError) -> (status: Int, body: String)
  {
    do {
      switch target {
      case .unix(let file): return try await postOverUnix(path, file)
      case .tcp(let endpoint):
        guard let url = HTTPURL("http://\(endpoint)\(path)") else { throw HTTPError.badURL(path) }
        let (response, body) = try await HTTPClient().fetch(
          HTTPClientRequest(.post, url), upTo: 1 << 16, timeout: .seconds(10))
        return (response.status.code, String(decoding: body, as: UTF8.self))
      }
    } catch {
      throw CommandError("not_reached", "the server cannot be reached: \(error)", exitCode: .refused)
    }
  }

  /// One request over a Unix socket, on a thread that may wait.
  private static func postOverUnix(_ path: String, _ file: String) async throws -> (status: Int, body: String) {
    let result = await OwnThread.run("dns-flush") { () -> Result<[UInt8], any Error> in
      Result {
        let socket = try StreamSocket(connectingToPath: file)
        let request = "POST \(path) HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        var rest = Array(request.utf8)[...]
        while !rest.isEmpty {
          wait(socket, for: POLLOUT)
          rest = rest.dropFirst(try rest.withUnsafeBytes { try socket.write($0) } ?? 0)
        }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while answer.count < 1 << 16 {
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
    poll(&entry, 1, 10_000)
  }
}
