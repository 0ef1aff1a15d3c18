import Foundation
import PlainText
import Synchronization
import Testing

@testable import Logging

/// Keeps what was logged.
private final class Lines: Sendable {
  private let bytes = Mutex<[[UInt8]]>([])
  var all: [String] { bytes.withLock { $0.map { String(decoding: $0, as: UTF8.self) } } }
  func append(_ line: [UInt8]) { bytes.withLock { $0.append(line) } }
}

@Suite("The logger")
struct LoggerTests {
  private static let moment = WallClockTime(microseconds: 1_795_253_033_123_456)

  private func logger(_ level: LogLevel, _ format: LogFormat, forJournal: Bool = false, _ lines: Lines) -> Logger {
    Logger(level: level, format: format, forJournal: forJournal, now: { Self.moment }) { lines.append($0) }
  }

  @Test("writes one line for an event, fields in order")
  func text() {
    let lines = Lines()
    logger(.info, .text, lines).warning("dht.put", ["stored": 3, "key": "8pinxx", "note": "two words", "empty": ""])
    #expect(
      lines.all == [#"2026-11-21T09:23:53.123Z warning  dht.put stored=3 key=8pinxx note="two words" empty="""# + "\n"])
  }

  @Test("never makes the fields of an event below its level")
  func lazy() {
    let lines = Lines()
    let made = Mutex(0)
    func field() -> JSON {
      made.withLock { $0 += 1 }
      return 1
    }
    let log = logger(.warning, .text, lines)
    log.trace("a", ["x": field()])
    log.info("b", ["x": field()])
    #expect(made.withLock { $0 } == 0 && lines.all.isEmpty)
    log.error("c", ["x": field()])
    #expect(made.withLock { $0 } == 1 && lines.all.count == 1)
  }

  @Test("cannot be made to forge a line or a field", arguments: LogFormat.allCases)
  func injection(format: LogFormat) throws {
    let lines = Lines()
    let hostile = "x\n2026-11-21T00:00:00.000Z error forged\r\u{1b}[2J\u{2028}\u{202e} a=\"b\" \\"
    logger(.info, format, lines).info("peer.version", ["v": .string(hostile)])
    let line = try #require(lines.all.first)
    #expect(lines.all.count == 1)
    #expect(line.unicodeScalars.filter { ControlCharacters.contains($0) } == ["\n"])
    #expect(line.hasSuffix("\n"))
    if format == .json {
      let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
      #expect(object["v"] == hostile && object["event"] == "peer.version" && object["level"] == "info")
    } else {
      #expect(line.contains(#"v="x\n2026"#))
    }
  }

  @Test("marks the priority and leaves the time to journald")
  func journal() {
    let lines = Lines()
    let log = logger(.trace, .text, forJournal: true, lines)
    log.critical("a")
    log.error("b")
    log.warning("c")
    log.notice("d")
    log.info("e")
    log.debug("f")
    log.trace("g")
    #expect(lines.all == ["<2>a\n", "<3>b\n", "<4>c\n", "<5>d\n", "<6>e\n", "<7>f\n", "<7>g\n"])
    logger(.info, .json, forJournal: true, lines).info("h")
    #expect(lines.all.last == "<6>{\"level\":\"info\",\"event\":\"h\"}\n")
  }

  @Test("believes JOURNAL_STREAM only about the stream that it names")
  func journalStream() {
    var status = stat()
    #expect(fstat(2, &status) == 0)
    #expect(Logger.isJournal(2, named: "\(status.st_dev):\(status.st_ino)"))
    #expect(!Logger.isJournal(2, named: "\(status.st_dev):\(status.st_ino &+ 1)"))
    #expect(!Logger.isJournal(2, named: "nonsense"))
    #expect(!Logger.isJournal(2, named: nil))
    #expect(!Logger.isJournal(-1, named: "0:0"))
  }

  @Test("keeps lines whole when many threads write through a pipe")
  func threads() async {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    let stream = LineStream(descriptor: writing)
    let reader = Task.detached {
      FileHandle(fileDescriptor: reading, closeOnDealloc: true).readDataToEndOfFile()
    }
    await withTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          let log = Logger(level: .info, format: .text, forJournal: true) { stream.write($0) }
          let filling = String(
            repeating: "abcdefgh"[String.Index(utf16Offset: writer, in: "abcdefgh")].description, count: 6000)
          for _ in 0..<50 { log.info("line", ["v": .string(filling)]) }
        }
      }
    }
    close(writing)
    let lines = String(decoding: await reader.value, as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 400)
    #expect(lines.allSatisfy { $0.utf8.count == 6000 + "<6>line v=".utf8.count && Set($0.suffix(6000)).count == 1 })
  }

  @Test(
    "knows the calendar",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
      (4_107_542_399_999_999, "2100-02-28T23:59:59.999Z"), (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
      (253_402_300_800_000_000, "10000-01-01T00:00:00.000Z"),
    ] as [(UInt64, String)])
  func calendar(microseconds: UInt64, text: String) {
    #expect(WallClockTime(microseconds: microseconds).description == text)
    #expect(!WallClockTime(microseconds: .max).description.isEmpty)
  }
}
