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

  /// Takes a method whose bytes are known to be a token of at most 32.
  init(token bytes: UnsafeRawBufferPointer) {
    let wellKnown: HTTPMethod? =
      switch bytes.count {
      case 3: bytes.elementsEqual("GET".utf8) ? .get : bytes.elementsEqual("PUT".utf8) ? .put : nil
      case 4: bytes.elementsEqual("POST".utf8) ? .post : bytes.elementsEqual("HEAD".utf8) ? .head : nil
      default: nil
      }
    self = wellKnown ?? HTTPMethod(wellKnown: String(decoding: bytes, as: UTF8.self))
  }

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
  /// `TRACE`
  public static let trace = HTTPMethod(wellKnown: "TRACE")
  /// `CONNECT`
  public static let connect = HTTPMethod(wellKnown: "CONNECT")

  /// The method as sent.
  public var description: String { text }
}
