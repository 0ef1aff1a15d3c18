import Glibc
import PlainText
import Synchronization

/// Where a command writes: results to standard output, all else to standard error.
public struct Console: Sendable {
  /// Standard output.
  public let output: Terminal
  /// Standard error.
  public let errors: Terminal
  /// True if a program reads: objects instead of words (`--json`).
  public let isJSON: Bool
  private let turn = WriteTurn()

  /// Writes to the process's own streams.
  public init(json: Bool) {
    self.init(output: Terminal(descriptor: STDOUT_FILENO), errors: Terminal(descriptor: STDERR_FILENO), json: json)
  }

  init(output: Terminal, errors: Terminal, json: Bool) {
    self.output = output
    self.errors = errors
    isJSON = json
  }

  /// Emphasis for standard output.
  public var style: TextStyle { output.style }

  /// True if a person reads standard output, so that summaries and headings help.
  public var isForPerson: Bool { output.isInteractive && !isJSON }

  /// Writes lines to standard output.
  ///
  /// - Throws: `CommandError` if they cannot be written, as when a disk is full.
  public func print(_ lines: String...) throws(CommandError) { try print(lines) }

  /// Writes lines to standard output.
  ///
  /// - Throws: `CommandError` if they cannot be written, as when a disk is full.
  public func print(_ lines: [String]) throws(CommandError) {
    let failure = turn.write(lines, to: output.descriptor)
    if failure != 0 {
      throw CommandError(
        "output", "the output cannot be written: \(Self.text(ofError: failure))", exitCode: .refused)
    }
  }

  /// Writes an object on a line of its own to standard output.
  ///
  /// - Throws: `CommandError` if it cannot be written.
  public func print(json: JSON) throws(CommandError) { try print([json.description]) }

  /// Writes a table: aligned under headings for a person, tab-separated for a program.
  ///
  /// - Throws: `CommandError` if it cannot be written.
  public func print(_ table: Table) throws(CommandError) {
    try print(output.isInteractive ? table.lines(style: style) : table.plainLines)
  }

  /// Tells a person what happens, on standard error; programs that asked for objects are spared.
  public func note(_ text: String) {
    if !isJSON { _ = turn.write([text], to: errors.descriptor) }
  }

  /// Warns on standard error: as an object with `warning` and `message` if a program reads.
  public func warn(_ code: String, _ message: String, details: [String] = [], advice: String? = nil) {
    if isJSON {
      _ = turn.write([Self.object("warning", code, message, details, advice).description], to: errors.descriptor)
    } else {
      let head = errors.style.yellow("warning:") + " " + ControlCharacters.escape(message)
      _ = turn.write([head] + indented(details, advice), to: errors.descriptor)
    }
  }

  /// Reports what went wrong, on standard error: what, where, what to do.
  public func report(_ error: CommandError, program: String) {
    if isJSON {
      _ = turn.write(
        [Self.object("error", error.code, error.message, error.details, error.advice).description],
        to: errors.descriptor)
    } else {
      let head = errors.style.red("\(program):") + " " + ControlCharacters.escape(error.message)
      _ = turn.write([head] + indented(error.details, error.advice), to: errors.descriptor)
    }
  }

  /// One object for programs: the code and `message` and, if there are any, `details` and `advice`.
  private static func object(
    _ kind: String, _ code: String, _ message: String, _ details: [String], _ advice: String?
  ) -> JSON {
    var fields = [JSON.Field(kind, .string(code)), JSON.Field("message", .string(message))]
    if !details.isEmpty { fields.append(.init("details", .array(details.map { .string($0) }))) }
    if let advice { fields.append(.init("advice", .string(advice))) }
    return .object(fields)
  }

  private func indented(_ details: [String], _ advice: String?) -> [String] {
    let details = details.map { "    " + ControlCharacters.escape($0) }
    guard let advice = advice.map(ControlCharacters.escape) else { return details }
    // In a pipe a line stays whole: it may be a command to be copied.
    if errors.columns == nil { return details + ["    " + advice] }
    return details + TextLayout.wrap(advice, width: errors.width, indent: 4)
  }

  /// Draws over the last line of standard error. For ``ProgressLine`` only.
  func redraw(_ text: String) { turn.redraw(text, on: errors.descriptor) }

  /// What an error number means.
  public static func text(ofError number: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard strerror_r(number, buffer.baseAddress!, buffer.count) == 0 else { return "error \(number)" }
      return String(cString: buffer.baseAddress!)
    }
  }
}

/// One writer at a time, whole lines. A line that is drawn over gives way to them.
private final class WriteTurn: Sendable {
  private static let clearLine = Array("\r\u{1b}[K".utf8)

  /// The terminal on which a line stands that has no end yet.
  private let openLine = Mutex<Int32?>(nil)

  /// 0, or the number of the error.
  func write(_ lines: [String], to descriptor: Int32) -> Int32 {
    var bytes: [UInt8] = []
    for line in lines {
      bytes += line.utf8
      bytes.append(UInt8(ascii: "\n"))
    }
    return openLine.withLock { open in
      if let terminal = open.take() { _ = Self.write(Self.clearLine, to: terminal) }
      return Self.write(bytes, to: descriptor)
    }
  }

  /// Draws over the last line of a terminal.
  func redraw(_ text: String, on terminal: Int32) {
    openLine.withLock { open in
      open = text.isEmpty ? nil : terminal
      _ = Self.write(Self.clearLine + text.utf8, to: terminal)
    }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if count == 0 {
          return EIO
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&waiting, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
  }
}
