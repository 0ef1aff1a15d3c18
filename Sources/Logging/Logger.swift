import PlainText

/// Writes events: one line each, with a stable name (`dht.bootstrapped`) and fields.
///
/// ```swift
/// logger.info("packet.published", ["key": "\(key)", "nodes": JSON(outcome.stored)])
/// ```
///
/// An event below the level costs one comparison: its fields are never made. A logger is a value that can be copied to
/// any task; lines of different tasks never mix.
public struct Logger: Sendable {
  /// The least level that is written.
  public let level: LogLevel
  /// How lines look.
  public let format: LogFormat
  /// True if journald reads the lines: each begins with its priority (`<4>`, sd-daemon(3)), and journald adds the time.
  public let forJournal: Bool
  private let write: @Sendable ([UInt8]) -> Void
  private let now: @Sendable () -> WallClockTime

  /// A logger that hands each finished line, newline included, to `write`. `now` gives the time of an event.
  public init(
    level: LogLevel, format: LogFormat, forJournal: Bool = false,
    now: @escaping @Sendable () -> WallClockTime = { .now }, write: @escaping @Sendable ([UInt8]) -> Void
  ) {
    self.level = level
    self.format = format
    self.forJournal = forJournal
    self.now = now
    self.write = write
  }

  /// A logger that writes nothing.
  public static let silent = Logger(level: .critical, format: .text) { _ in }

  /// Writes an event of any level.
  @inline(__always)
  public func log(
    _ level: LogLevel, _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) {
    guard level >= self.level else { return }
    emit(level, event, fields())
  }

  /// Writes an event of level `trace`.
  @inline(__always)
  public func trace(
    _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) { log(.trace, event, fields()) }

  /// Writes an event of level `debug`.
  @inline(__always)
  public func debug(
    _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) { log(.debug, event, fields()) }

  /// Writes an event of level `info`.
  @inline(__always)
  public func info(
    _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) { log(.info, event, fields()) }

  /// Writes an event of level `notice`.
  @inline(__always)
  public func notice(
    _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) { log(.notice, event, fields()) }

  /// Writes an event of level `warning`.
  @inline(__always)
  public func warning(
    _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) { log(.warning, event, fields()) }

  /// Writes an event of level `error`.
  @inline(__always)
  public func error(
    _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) { log(.error, event, fields()) }

  /// Writes an event of level `critical`.
  @inline(__always)
  public func critical(
    _ event: StaticString, _ fields: @autoclosure () -> KeyValuePairs<StaticString, JSON> = [:]
  ) { log(.critical, event, fields()) }

  private func emit(_ level: LogLevel, _ event: StaticString, _ fields: KeyValuePairs<StaticString, JSON>) {
    var line: [UInt8] = []
    line.reserveCapacity(256)
    if forJournal { line += "<\(level.syslogPriority)>".utf8 }
    switch format {
    case .text: writeText(level, event, fields, to: &line)
    case .json: writeJSON(level, event, fields, to: &line)
    }
    line.append(UInt8(ascii: "\n"))
    write(line)
  }

  private func writeJSON(
    _ level: LogLevel, _ event: StaticString, _ fields: KeyValuePairs<StaticString, JSON>, to line: inout [UInt8]
  ) {
    var object: [JSON.Field] = []
    object.reserveCapacity(fields.count + 3)
    if !forJournal { object.append(.init("time", .string(now().description))) }
    object.append(.init("level", .string(level.rawValue)))
    object.append(.init("event", .string(event.description)))
    for (name, value) in fields { object.append(.init(name.description, value)) }
    JSON.object(object).write(to: &line)
  }

  private func writeText(
    _ level: LogLevel, _ event: StaticString, _ fields: KeyValuePairs<StaticString, JSON>, to line: inout [UInt8]
  ) {
    if !forJournal {
      line += now().description.utf8
      line.append(UInt8(ascii: " "))
      line += level.rawValue.utf8
      line += repeatElement(UInt8(ascii: " "), count: max(1, 9 - level.rawValue.utf8.count))
    }
    line += event.description.utf8
    for (name, value) in fields {
      line.append(UInt8(ascii: " "))
      line += name.description.utf8
      line.append(UInt8(ascii: "="))
      if case .string(let text) = value, Self.isPlainWord(text) {
        line += text.utf8
      } else {
        value.write(to: &line)
      }
    }
  }

  /// True for text that can stand without quotes: nothing in it could be taken for another field or another line.
  private static func isPlainWord(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\\")
      }
  }
}
