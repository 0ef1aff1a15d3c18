/// Why a request or response could not be read or sent.
public enum HTTPError: Error, Hashable, Sendable {
  /// The message breaks the protocol; what is wrong, for a person.
  case malformed(String)
  /// Head or body are larger than allowed; the limit in bytes.
  case tooLarge(limit: Int)
  /// The other side was too slow.
  case timedOut
  /// The connection ended before the message did.
  case connectionClosed
  /// No connection could be made; why, for a person.
  case cannotConnect(String)
  /// A redirect that cannot be followed; why, for a person.
  case badRedirect(String)
  /// The address is none that can be asked.
  case badURL(String)
}

extension HTTPError: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    switch self {
    case .malformed(let what): "malformed HTTP message: \(what)"
    case .tooLarge(let limit): "the message is larger than \(limit) bytes"
    case .timedOut: "the other side was too slow"
    case .connectionClosed: "the connection was closed before the message was complete"
    case .cannotConnect(let why): "cannot connect: \(why)"
    case .badRedirect(let why): "a redirect cannot be followed: \(why)"
    case .badURL(let why): "not a usable address: \(why)"
    }
  }
}

/// A refusal that a handler throws; the server answers it with the status and the text.
public struct HTTPRefusal: Error, Sendable {
  /// The response in its place.
  public var response: HTTPResponse

  /// Answers with a status and a line of text.
  public init(_ status: HTTPStatus, _ text: String = "") {
    response = text.isEmpty ? HTTPResponse(status) : .text(text, status: status)
  }

  /// Answers with a response.
  public init(_ response: HTTPResponse) { self.response = response }
}
