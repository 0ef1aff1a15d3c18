import CommandLineTool
import HTTP
import Pkarr

/// What `pubky get` is asked to send.
enum WebRequest {
  static let url = Argument<HTTPURL>(
    "URL", "https://KEY/path, https://name.KEY/, or any other address of the web",
    parse: { (text: String) throws(InvalidValue) in
      guard let url = address(text) else {
        throw InvalidValue(
          "\"\(text)\" is not an address", advice: "Write https://KEY/path; other characters are percent-encoded.")
      }
      return url
    })
  static let method = Option<HTTPMethod>(
    "request", short: "X", value: "METHOD", "The method (default: GET, with --data POST)",
    parse: { (text: String) throws(InvalidValue) in
      guard let method = HTTPMethod(text), method != .connect else {
        throw InvalidValue("\"\(text)\" is not a method that can be sent")
      }
      return method
    })
  static let head = Flag("head", short: "I", "Ask for the head of the answer only, and show it")
  static let header = Option<HTTPFields>(
    "header", short: "H", value: "LINE", repeatable: true, "A field of the request, as in 'Accept: text/html'",
    parse: { (text: String) throws(InvalidValue) in try field(text) })
  static let data = Option(
    "data", short: "d", value: "DATA", repeatable: true, completion: .file,
    "Send this, or what stands in @FILE (@-: standard input); several are joined with &")

  static let options = [
    method.specification, head.specification, header.specification, data.specification,
  ]

  private static let maximumBody = 64 << 20

  /// Reads an address; without a scheme it is `https`.
  private static func address(_ text: String) -> HTTPURL? {
    if text.contains("://") {
      // Addresses of other programs' schemes name keys as well.
      for scheme in ["pubky://", "pk://"] where text.hasPrefix(scheme) {
        return HTTPURL("https://" + text.dropFirst(scheme.count))
      }
      return HTTPURL(text)
    }
    return HTTPURL("https://" + (text.hasPrefix("pk:") ? text.dropFirst(3) : text[...]))
  }

  private static func field(_ text: String) throws(InvalidValue) -> HTTPFields {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let name = HTTPFieldName(parts[0]) else {
      throw InvalidValue("\"\(text)\" is not a field", advice: "Write a name, a colon and a value.")
    }
    if ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "expect"].contains(name.text) {
      throw InvalidValue("\(name) is not for you to set: the address and the data decide it")
    }
    guard parts[1].utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
      throw InvalidValue("the value of \(name) holds a control character")
    }
    return [name: String(parts[1].drop { $0 == " " || $0 == "\t" })]
  }

  /// The request that the command line describes.
  ///
  /// - Throws: `CommandError` if data cannot be read or do not fit the method.
  static func read(_ arguments: ParsedArguments) throws(CommandError) -> HTTPClientRequest {
    var fields = HTTPFields()
    for field in arguments.all(header) { fields.append(contentsOf: field) }
    var body: [UInt8] = []
    let data = arguments.all(data)
    for (index, text) in data.enumerated() {
      if index > 0 { body.append(UInt8(ascii: "&")) }
      if text.hasPrefix("@") {
        body += try InputFile.read(String(text.dropFirst()), limit: maximumBody, what: "what is to be sent").bytes
      } else {
        body += text.utf8
      }
    }
    var method = arguments[method] ?? (data.isEmpty ? .get : .post)
    if arguments[head] {
      guard data.isEmpty, method == .get || method == .head else {
        throw .usage("--head excludes --data and other methods")
      }
      method = .head
    }
    if !data.isEmpty, !fields.contains(.contentType) {
      fields.append(.contentType, "application/x-www-form-urlencoded")
    }
    return HTTPClientRequest(
      method, try arguments.required(url), fields: fields, body: data.isEmpty ? .empty : .bytes(body))
  }
}
