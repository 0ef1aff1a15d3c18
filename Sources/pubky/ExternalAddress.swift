import Addresses
import CommandLineTool
import HTTP
import PlainText

/// The addresses under which the internet sees this machine, as services tell them: for zones that say `{external_ipv4}` or
/// `{external_ipv6}`. Two services must agree, so that none alone can lead a name elsewhere.
struct ExternalAddress: Sendable {
  static let source = Option<HTTPURL>(
    "address-source", value: "URL", repeatable: true,
    "Ask these services for {external_ipv4} and {external_ipv6} in the zone; two must agree (default: five public ones)",
    parse: { (text: String) throws(InvalidValue) in
      guard let url = HTTPURL(text) else { throw InvalidValue("\"\(text)\" is not an address of the web") }
      return url
    })

  /// Services that answer with the address of who asks, as text or as JSON with a field `ip`.
  private static let publicSources: [IPAddress.Family: [String]] = [
    .ipv4: [
      "https://ipv4.icanhazip.com", "https://v4.ident.me", "https://api.ipify.org", "https://ipinfo.io/ip",
      "https://4.myip.is/",
    ],
    .ipv6: [
      "https://ipv6.icanhazip.com", "https://v6.ident.me", "https://api6.ipify.org", "https://v6.ipinfo.io/ip",
      "https://6.myip.is/",
    ],
  ]
  private static let names: [(mark: String, family: IPAddress.Family)] = [
    ("{external_ipv4}", .ipv4), ("{external_ipv6}", .ipv6),
  ]
  private static let timeLimit = Duration.seconds(3)
  private static let answerLimit = 4096

  /// Services that were named; empty: the public ones.
  let sources: [HTTPURL]
  /// What a router tells goes before what services say.
  let router: RouterUpdates?

  init(_ arguments: ParsedArguments, router: RouterUpdates? = nil) {
    sources = arguments.all(Self.source)
    self.router = router
  }

  /// A zone with its marks replaced. Asks nobody if there are none.
  ///
  /// - Throws: `CommandError` if no two services agree on a public address.
  func fill(_ zone: String, _ name: String) async throws(CommandError) -> String {
    var zone = zone
    for (mark, family) in Self.names where zone.contains(mark) {
      var found = router?.address(family)
      if found == nil { found = await find(family) }
      guard let address = found else {
        throw CommandError(
          "no_address", "\(name): no two services agree on what \(mark) is",
          advice: "Write the address into the zone, or name other services with --address-source URL.",
          exitCode: .refused)
      }
      zone = zone.replacing(mark, with: address.description)
    }
    return zone
  }

  private func find(_ family: IPAddress.Family) async -> IPAddress? {
    let urls = sources.isEmpty ? (Self.publicSources[family] ?? []).compactMap { HTTPURL($0) } : sources
    var configuration = HTTPClientConfiguration()
    configuration.connectTimeout = Self.timeLimit
    guard let client = try? HTTPClient(configuration) else { return nil }
    return await withTaskGroup(of: IPAddress?.self) { group in
      for url in urls.shuffled() { group.addTask { await Self.ask(url, client) } }
      var votes: [IPAddress: Int] = [:]
      for await answer in group {
        guard let answer, answer.family == family, answer.isGlobalUnicast else { continue }
        votes[answer, default: 0] += 1
        if votes[answer] == 2 {
          group.cancelAll()
          return answer
        }
      }
      return nil
    }
  }

  private static func ask(_ url: HTTPURL, _ client: HTTPClient) async -> IPAddress? {
    guard
      let (response, body) = try? await client.fetch(
        HTTPClientRequest(.get, url, fields: [.accept: "text/plain, application/json;q=0.5"]), upTo: answerLimit,
        timeout: timeLimit), response.status == .ok
    else { return nil }
    return address(in: String(decoding: body, as: UTF8.self))
  }

  /// An address alone, or the field `ip` of an object.
  static func address(in answer: String) -> IPAddress? {
    if let address = IPAddress(answer.filter { !$0.isWhitespace }) { return address }
    guard let field = answer.firstMatch(of: /"ip"\s*:\s*"([0-9a-fA-F.:]+)"/) else { return nil }
    return IPAddress(field.1)
  }
}
