import CommandLineTool
import EventLoops
import HTTP
import Pkarr
import PkarrClient
import PlainText

/// `pubky get`
enum GetCommand {
  private static let output = Option(
    "output", short: "o", value: "FILE", completion: .file, "Write to a file, which appears when all has come")
  private static let include = Flag("include", short: "i", "Write the head of the answer before it")
  private static let follow = Flag("location", short: "L", "Follow redirects, at most ten")
  private static let timeout = Option<Duration>(
    "timeout", short: "m", value: "DURATION", "Give up after this time in all",
    parse: SharedOptions.duration(atLeast: .milliseconds(1)))
  private static let authorities = Option(
    "cacert", value: "FILE", completion: .file, "Trust the authorities of this PEM file instead of the system's")
  private static let fresh = Flag("fresh", "Ask the network, also for a key whose packet was seen before")

  static let command: Command = .init(
    "get", "Fetch a page from a key: https://KEY/path",
    discussion: """
      Follows the HTTPS records of the key, from key to key if need be, and tries one place after the other. A server \
      that the key's own packet names must prove that it has the key; one on an ordinary domain must have a certificate \
      for that domain. Packets are kept in ~/.cache/pubky until they expire. Addresses without a key work as well. A \
      status of 400 and above is exit code 1.
      """,
    arguments: [WebRequest.url.specification],
    options: [output.specification, include.specification] + WebRequest.options + [
      follow.specification, timeout.specification, authorities.specification, fresh.specification,
      SharedOptions.bootstrap.specification,
    ] + RelayAccess.options + [SharedOptions.json.specification],
    examples: [
      .init("pubky get https://KEY/", "Show a page"),
      .init("pubky get https://KEY/film.webm -o film.webm", "Write a file; it is there whole or not at all"),
      .init("pubky get -i -X PUT -d @note.txt https://KEY/note", "Send a file, and show what is answered"),
    ],
    action: { arguments, console in
      _ = try RelayAccess.isWanted(arguments)
      let request = try WebRequest.read(arguments)
      let limit = arguments[timeout]
      let done: Void? = try await Interruption.during(undone: "The answer is not complete.") {
        guard let limit else { return try await fetch(request, arguments, console) }
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await fetch(request, arguments, console) }
          group.addTask {
            try await Task.sleep(for: limit)
            throw CommandError(
              "timeout", "\(request.url.host) was not done within \(DurationText.describe(limit))", exitCode: .refused)
          }
          defer { group.cancelAll() }
          try await group.next()
        }
      }
      if done == nil { throw CancellationError() }
    })

  private static func fetch(
    _ request: HTTPClientRequest, _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    let start = ContinuousClock.now
    let network = Network.options(arguments.all(SharedOptions.bootstrap)) + RelayAccess.words(arguments)
    let lookups = KeyLookups(
      RelayAccess.configuration(arguments), folder: PacketFolder(network: network), refreshes: arguments[fresh])
    let file = try arguments[output].map { path throws(CommandError) in try ReplacedFile(path) }
    let failure: (any Error)?
    do {
      let client = try client(lookups, arguments)
      let response = try await ProgressLine.show("Asking \(request.url.host)", on: console) { _ in
        try await send(request, client, lookups)
      }
      try await show(response, file, start, arguments, console)
      failure = nil
    } catch {
      failure = explain(error, request.url, lookups)
    }
    await lookups.shutdown()
    if let failure { throw failure }
  }

  private static func client(_ lookups: KeyLookups, _ arguments: ParsedArguments) throws -> HTTPClient {
    var configuration = HTTPClientConfiguration()
    if let path = arguments[authorities] { configuration.tls.trust = .file(path: path) }
    configuration.readsAuthoritiesLate = arguments[authorities] == nil
    configuration.maximumRedirects = arguments[follow] ? 10 : 0
    configuration.userAgent = "pubky/\(Pubky.version)"
    configuration.findKeys(onFailure: { lookups.note($0) }, resolve: { try await lookups.resolve($0) })
    do {
      return try HTTPClient(configuration)
    } catch {
      throw CommandError.input("\(error)")
    }
  }

  /// Sends a request. If a server has moved, what was known of its key may be what is wrong: then the network is asked.
  private static func send(
    _ request: HTTPClientRequest, _ client: HTTPClient, _ lookups: KeyLookups
  ) async throws(HTTPError) -> HTTPClientResponse {
    do throws(HTTPError) {
      return try await client.send(request)
    } catch {
      guard case .cannotConnect = error, lookups.refresh() else { throw error }
      return try await client.send(request)
    }
  }

  private static func show(
    _ response: HTTPClientResponse, _ file: ReplacedFile?, _ start: ContinuousClock.Instant,
    _ arguments: ParsedArguments, _ console: Console
  ) async throws {
    let isRefused = response.status.code >= 400
    // What is no answer takes no file's place.
    let sink = isRefused ? nil : file
    let isSilent = isRefused && file != nil
    let output = WebOutput(console: console, file: sink, showsHead: arguments[include] || arguments[WebRequest.head])
    var length: UInt64 = 0
    if !isSilent { length = try await output.write(response) }
    try sink?.commit()
    if console.isJSON {
      try console.print(json: WebOutput.object(response, length: length, took: .now - start))
    } else if console.isForPerson, sink != nil {
      let path = arguments[self.output] ?? ""
      try console.print(
        "Wrote \(path): \(NumberText.count(length, "byte")), \(DurationText.describe(.now - start))")
    }
    if isRefused {
      throw CommandError(
        "http_status", "\(response.url) answers \(WebOutput.statusText(response.status))", exitCode: .refused)
    }
  }

  // MARK: Failures

  private static func explain(_ error: any Error, _ url: HTTPURL, _ lookups: KeyLookups) -> any Error {
    guard let error = error as? HTTPError else { return error }
    if Task.isCancelled { return CancellationError() }
    switch error {
    case .cannotConnect(let reason):
      if let failure = lookups.failure { return failure }
      if case .noEndpoint(let name, let failures)? = lookups.endpointError {
        return CommandError.notFound(
          "nothing says where \(name) is", details: failures.map(\.description),
          advice: "Its owner publishes an HTTPS record, as pubky serve does.")
      }
      return CommandError(
        "unreachable", "\(url.host) cannot be reached", details: lines(reason), exitCode: .refused)
    case .timedOut:
      return CommandError("timeout", "\(url.host) was too slow", exitCode: .refused)
    case .connectionClosed, .malformed, .tooLarge, .badRedirect:
      return CommandError("bad_answer", "\(url.host): \(error)", exitCode: .refused)
    case .badURL(let reason): return CommandError.input(reason)
    }
  }

  /// One line for each place that was tried.
  private static func lines(_ reasons: String) -> [String] {
    var lines: [String] = []
    for part in reasons.split(separator: ";") {
      let line = String(part.drop { $0 == " " })
      if !lines.contains(line) { lines.append(line) }
    }
    return lines
  }
}
