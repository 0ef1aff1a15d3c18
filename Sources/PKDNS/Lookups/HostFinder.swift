import Addresses
import DNSWire
import EventLoops
import HTTP

/// Finds hosts that the server needs itself, such as relays and the entrances to the DHT: asks the configured name servers,
/// never the system, which may well ask this very server.
struct HostFinder: Sendable {
  let upstream: UpstreamClient

  /// No host has this name, or nobody could be asked.
  struct Failure: Error, CustomStringConvertible {
    let host: String
    let reason: String

    var description: String { "\(host): \(reason)" }
  }

  /// Aliases that are followed when the name servers do not do so.
  private static let aliasLimit = 8

  /// All addresses of a host, IPv4 first, each with the host's port.
  func endpoints(_ host: HostName) async throws -> [Endpoint] {
    if let endpoint = host.endpoint { return [endpoint] }
    guard let name = try? DomainName(host.host), !name.isRoot else {
      throw Failure(host: host.host, reason: "is no domain name")
    }
    async let v4 = addresses(name, .a)
    async let v6 = addresses(name, .aaaa)
    let results = await [v4, v6]
    let found = results.flatMap { (try? $0.get()) ?? [] }.map { Endpoint($0, port: host.port) }
    if !found.isEmpty { return found }
    for case .failure(let failure) in results { throw Failure(host: host.host, reason: failure.description) }
    throw Failure(host: host.host, reason: "has no address")
  }

  private func addresses(_ name: DomainName, _ type: RecordType) async -> Result<[IPAddress], UpstreamFailure> {
    var name = name
    for _ in 0..<Self.aliasLimit {
      switch await upstream.answer(to: UpstreamQuestion(name, type)) {
      case .failure(let failure): return .failure(failure)
      case .answer(let bytes, _):
        guard let message = try? Message(parsing: bytes) else { return .failure(.connection) }
        let (addresses, end) = Self.follow(name, message)
        if !addresses.isEmpty || end.equalsIgnoringASCIICase(name) { return .success(addresses) }
        name = end
      }
    }
    return .success([])
  }

  /// The addresses that an answer gives for a name, and the name at the end of its aliases.
  private static func follow(_ name: DomainName, _ message: Message) -> ([IPAddress], DomainName) {
    var name = name
    for _ in 0...aliasLimit {
      var alias: DomainName?
      var addresses: [IPAddress] = []
      for record in message.answers where record.name.equalsIgnoringASCIICase(name) {
        switch record.data {
        case .a(let data): addresses.append(data.ipAddress)
        case .aaaa(let data): addresses.append(data.ipAddress)
        case .cname(let target): alias = target
        default: break
        }
      }
      guard addresses.isEmpty, let alias else { return (addresses, name) }
      name = alias
    }
    return ([], name)
  }

  /// The same for connections to relays.
  var httpResolver: HTTPResolver {
    { url in
      let host = url.host.contains(":") ? "[\(url.host)]" : url.host
      guard let name = HostName("\(host):\(url.effectivePort)") else {
        throw HTTPError.badURL("\(url.host) is not a host name")
      }
      return try await endpoints(name).map { endpoint in
        HTTPRoute(endpoint, url.scheme == .https ? .certificate(hostName: url.host) : .plain)
      }
    }
  }
}
