import Addresses
import DNSWire

/// The encrypted ways to a server, as clients look for them (RFC 9462, RFC 9461).
struct DesignatedResolvers {
  private(set) var bindings: [ServiceBinding] = []
  private(set) var addresses: [IPAddress] = []

  /// Those of a server whose certificate has a name; none otherwise, since clients could not check it.
  init(_ configuration: PKDNSConfiguration) {
    guard let name = configuration.tls?.name.flatMap({ DomainName(configured: $0) }) else { return }
    let https = configuration.https
    if let endpoint = https.encrypted.first {
      add(name, priority: 1, protocols: ["h2", "http/1.1"], endpoint, usualPort: 443, path: https.paths[0] + "{?dns}")
    }
    if let endpoint = configuration.tls?.listen.first {
      add(name, priority: 2, protocols: ["dot"], endpoint, usualPort: 853, path: nil)
    }
    let endpoints = https.encrypted + (configuration.tls?.listen ?? [])
    for address in endpoints.map(\.address) where !address.isUnspecified && !addresses.contains(address) {
      addresses.append(address)
    }
  }

  private mutating func add(
    _ name: DomainName, priority: UInt16, protocols: [String], _ endpoint: Endpoint, usualPort: UInt16, path: String?
  ) {
    // Any free port is for tests, which know it otherwise.
    guard endpoint.port != 0 else { return }
    var binding = ServiceBinding(priority: priority, target: name)
    do {
      try binding.setALPN(protocols)
      if let path { try binding.set(.dohPath, to: Array(path.utf8)) }
    } catch {
      // Protocols are those above and a path was checked when it was read.
      return
    }
    if endpoint.port != usualPort { binding.setPort(endpoint.port) }
    bindings.append(binding)
  }
}

extension ServiceBinding.Key {
  /// `dohpath` (RFC 9461 §5).
  fileprivate static let dohPath = ServiceBinding.Key(rawValue: 7)
}
