import EventLoops
import Pkarr

/// The base address of a relay: `https://relay.example`, with a path if it lives below one.
///
/// Two are equal if they differ only in the case of scheme and host, a port that goes without saying, a slash at the end
/// or a fragment.
public struct RelayURL: Hashable, Sendable {
  /// True for `https`.
  public let isEncrypted: Bool
  /// Host and port.
  public let host: HostName
  /// The path in front of keys: empty, or `/…` without a slash at its end.
  public let path: String
  /// Query parameters that every request carries, without the question mark; nil if there are none.
  public let query: String?

  /// Reads an address.
  ///
  /// - Throws: ``InvalidRelayURL`` if it is none, is not of scheme `http` or `https`, or names a user.
  public init(_ text: String) throws(InvalidRelayURL) {
    guard text.utf8.count <= Self.maximumLength, text.utf8.allSatisfy(Self.isAllowed),
      let separator = text.firstRange(of: "://")
    else { throw InvalidRelayURL(text: text, reason: .malformed) }
    switch text[..<separator.lowerBound].lowercased() {
    case "https": isEncrypted = true
    case "http": isEncrypted = false
    default: throw InvalidRelayURL(text: text, reason: .notHTTP)
    }
    let rest = text[separator.upperBound...].prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    if authority.utf8.contains(UInt8(ascii: "@")) { throw InvalidRelayURL(text: text, reason: .namesUser) }
    guard let host = Self.host(authority.lowercased(), defaultPort: isEncrypted ? 443 : 80) else {
      throw InvalidRelayURL(text: text, reason: .malformed)
    }
    self.host = host
    let target = rest[authority.endIndex...]
    var path = target.prefix { $0 != "?" }
    let query = target[path.endIndex...].dropFirst()
    while path.last == "/" { path.removeLast() }
    self.path = String(path)
    self.query = query.isEmpty ? nil : String(query)
  }

  private static let maximumLength = 2000

  /// Printable ASCII, without what RFC 3986 does not allow anywhere.
  private static func isAllowed(_ byte: UInt8) -> Bool {
    (0x21...0x7e).contains(byte) && !"\"<>\\^`{|}".utf8.contains(byte)
  }

  /// Reads `host`, `host:port`, `[address]` or `[address]:port`.
  private static func host(_ authority: String, defaultPort: Int) -> HostName? {
    var name = authority
    if name.last == ":" { name.removeLast() }
    let tail = name[(name.lastIndex(of: "]") ?? name.startIndex)...]
    return HostName(tail.contains(":") ? name : "\(name):\(defaultPort)")
  }

  /// The address of a key's packet at this relay, with one more query parameter.
  func address(of key: PublicKey, parameter: String? = nil) -> String {
    let parameters = [query, parameter].compactMap(\.self)
    return origin + path + "/" + key.z32 + (parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&"))
  }

  private var origin: String {
    let isDefaultPort = host.port == (isEncrypted ? 443 : 80)
    let authority = isDefaultPort ? String(host.description.dropLast(":\(host.port)".count)) : host.description
    return (isEncrypted ? "https://" : "http://") + authority
  }
}

extension RelayURL: CustomStringConvertible, ExpressibleByStringLiteral {
  /// A literal must be the address of a relay.
  public init(stringLiteral text: String) {
    do throws(InvalidRelayURL) {
      try self.init(text)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// The address, without a slash at its end.
  public var description: String { origin + path + (query.map { "?" + $0 } ?? "") }
}

extension RelayURL {
  /// The relays that a client asks unless told otherwise.
  public static let defaults: [RelayURL] = ["https://pkarr.pubky.app", "https://pkarr.pubky.org"]
}

/// A text that is not the address of a relay.
public struct InvalidRelayURL: Error, Hashable, Sendable {
  /// The text.
  public let text: String
  /// What is wrong with it.
  public let reason: Reason

  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// It is no address at all, or its host or port is none.
    case malformed
    /// Its scheme is neither `http` nor `https`.
    case notHTTP
    /// It holds a user name or password.
    case namesUser
  }

  /// The error's stable name, as other PKARR implementations call it.
  public var name: String { "InvalidRelayUrl" }
}

extension InvalidRelayURL: CustomStringConvertible {
  /// For a person: what was wrong, where, what to do.
  public var description: String {
    let fault =
      switch reason {
      case .malformed: "is not the address of a relay"
      case .notHTTP: "is not an address of the web"
      case .namesUser: "names a user, which relays do not know"
      }
    return "\"\(text)\" \(fault)\nWrite it like https://pkarr.pubky.app or http://127.0.0.1:6881."
  }
}
