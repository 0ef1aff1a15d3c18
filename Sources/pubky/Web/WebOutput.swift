import CommandLineTool
import Glibc
import HTTP
import Pkarr
import PlainText

/// Where `pubky get` writes what it is answered: standard output, or a file that appears when it is complete.
struct WebOutput {
  let console: Console
  let file: ReplacedFile?
  /// True if the head of the answer comes first.
  let showsHead: Bool

  /// Writes an answer as it comes, so its size costs no memory; the number of bytes of its body.
  ///
  /// - Throws: `HTTPError`, or `CommandError` if it cannot be written.
  func write(_ response: HTTPClientResponse) async throws -> UInt64 {
    if showsHead, !console.isJSON { try write(bytes: Array(head(response).utf8)) }
    var count: UInt64 = 0
    var terminal = file == nil && console.output.isInteractive ? TerminalText() : nil
    while let piece = try await response.body.read() {
      // With --json standard output is for the object.
      if file != nil || !console.isJSON {
        if count == 0, terminal != nil, piece.contains(0) {
          throw CommandError.input(
            "the answer is no text, and would confuse the terminal", advice: "Write it to a file: --output FILE.")
        }
        try write(bytes: terminal?.shown(piece) ?? piece)
      }
      count += UInt64(piece.count)
    }
    if let rest = terminal?.end(), !rest.isEmpty { try write(bytes: rest) }
    return count
  }

  private func write(bytes: [UInt8]) throws(CommandError) {
    if let file { return try file.write(bytes) }
    let code = ReplacedFile.write(bytes, to: console.output.descriptor)
    if code != 0 {
      throw CommandError("output", "the output cannot be written: \(Console.text(ofError: code))", exitCode: .refused)
    }
  }

  /// The head as HTTP/1.1 writes it.
  private func head(_ response: HTTPClientResponse) -> String {
    let isForPerson = file == nil && console.output.isInteractive
    func shown(_ text: String) -> String { isForPerson ? ControlCharacters.escape(text) : text }
    let end = isForPerson ? "\n" : "\r\n"
    var text = "HTTP/1.1 \(Self.statusText(response.status))" + end
    response.fields.forEach { text += "\(shown($0)): \(shown($1))" + end }
    return text + end
  }

  /// `404 Not Found`
  static func statusText(_ status: HTTPStatus) -> String {
    status.reasonPhrase.isEmpty ? "\(status.code)" : "\(status.code) \(status.reasonPhrase)"
  }

  /// The answer for programs; docs/command.md explains the fields.
  static func object(
    _ response: HTTPClientResponse, length: UInt64, took: ContinuousClock.Duration
  ) -> JSON {
    var fields: [JSON] = []
    response.fields.forEach { fields.append(["name": .string($0), "value": .string($1)]) }
    let identity: JSON =
      switch response.route.identity {
      case .plain: .null
      case .certificate(let name): .string(name)
      case .rawKey(let key): .string(PublicKey(key).z32)
      }
    return [
      "url": .string(response.url.description), "status": JSON(response.status.code), "fields": .array(fields),
      "length": JSON(length), "endpoint": .string(response.route.endpoint.description), "identity": identity,
      "milliseconds": JSON(ResolveCommand.milliseconds(took)),
    ]
  }
}
