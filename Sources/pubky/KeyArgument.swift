import CommandLineTool
import Pkarr

/// Public keys on the command line: the bare key, `pk:KEY`, a host name or a URL.
enum KeyArgument {
  static let argument = Argument<PublicKey>(
    "KEY", "A public key: 52 characters, pk:KEY, or a host name or URL that ends in it", parse: parse)

  /// Reads a key, explaining what is wrong with it.
  static func parse(_ text: String) throws(InvalidValue) -> PublicKey {
    do throws(PublicKeyError) {
      return try PublicKey(parsing: text)
    } catch {
      throw InvalidValue("\"\(text)\" is not a key: \(error)", advice: hint(text, error))
    }
  }

  private static func hint(_ text: String, _ error: PublicKeyError) -> String? {
    switch error {
    case .invalidEncoding where text.contains(where: \.isUppercase): "Keys are written in lower case."
    case .invalidEncoding where text.hasPrefix("pubky") && text.utf8.count == 57: "Leave out the prefix pubky."
    case .invalidLength where text.utf8.count != PublicKey.textLength:
      "This text has \(text.utf8.count) characters; was all of it copied?"
    default: nil
    }
  }
}
