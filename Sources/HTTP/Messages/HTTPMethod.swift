/// A request method (RFC 9110 §9). Methods are case-sensitive.
public struct HTTPMethod: Hashable, Sendable, CustomStringConvertible {
  /// The method as sent, `GET`.
  public let text: String

  /// Takes a method; nil if it is no token or longer than 32 bytes.
  public init?(_ text: some StringProtocol) {
    guard (1...32).contains(text.utf8.count), text.utf8.allSatisfy(HTTPToken.contains) else { return nil }
    self.text = String(text)
  }

  init(wellKnown text: String) { self.text = text }

  /// `GET`
  public static let get = HTTPMethod(wellKnown: "GET")
  /// `HEAD`
  public static let head = HTTPMethod(wellKnown: "HEAD")
  /// `POST`
  public static let post = HTTPMethod(wellKnown: "POST")
  /// `PUT`
  public static let put = HTTPMethod(wellKnown: "PUT")
  /// `DELETE`
  public static let delete = HTTPMethod(wellKnown: "DELETE")
  /// `PATCH`
  public static let patch = HTTPMethod(wellKnown: "PATCH")
  /// `OPTIONS`
  public static let options = HTTPMethod(wellKnown: "OPTIONS")

  /// The method as sent.
  public var description: String { text }
}
