import Foundation
import PlainText
import Testing

@testable import CommandLineTool

@Suite("What a command writes")
struct ConsoleTests {
  /// Runs `body` with a console on two pipes; what came out of each.
  private func captured(
    interactive: Bool = false, json: Bool = false, _ body: (Console) async throws -> Void
  ) async throws -> (output: String, errors: String) {
    let (output, errors) = (Pipe(), Pipe())
    func terminal(_ pipe: Pipe) -> Terminal {
      Terminal(
        descriptor: pipe.fileHandleForWriting.fileDescriptor, isInteractive: interactive, term: "xterm", noColour: false
      )
    }
    try await body(Console(output: terminal(output), errors: terminal(errors), json: json))
    try output.fileHandleForWriting.close()
    try errors.fileHandleForWriting.close()
    func text(_ pipe: Pipe) -> String {
      String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
    return (text(output), text(errors))
  }

  private static let error = CommandError.input(
    "examples/zone:7: \"300s5\" is not a TTL\u{1b}[2J", details: ["www  300s5  CNAME  @", "     ^^^^^"],
    advice: "Write seconds (300) or units (5m, 1h30m, 2d).")

  @Test("an error says what, where, and what to do")
  func report() async throws {
    let said = try await captured { $0.report(Self.error, program: "tool") }
    #expect(
      said.errors == """
        tool: examples/zone:7: "300s5" is not a TTL\\u{1b}[2J
            www  300s5  CNAME  @
                 ^^^^^
            Write seconds (300) or units (5m, 1h30m, 2d).

        """)
    #expect(said.output.isEmpty)
  }

  @Test("a program gets errors as objects")
  func jsonReport() async throws {
    let said = try await captured(json: true) { $0.report(Self.error, program: "tool") }
    #expect(
      said.errors == #"{"error":"bad_input","message":"examples/zone:7: \"300s5\" is not a TTL\u001b[2J","#
        + #""details":["www  300s5  CNAME  @","     ^^^^^"],"advice":"Write seconds (300) or units (5m, 1h30m, 2d)."}"#
        + "\n")
  }

  @Test("a table is aligned for a person and tab-separated for a program")
  func table() async throws {
    var table = Table(["name", "ttl", "data"], alignments: [.left, .right])
    table.add(["@", "300", "127.0.0.1"])
    table.add(["_hello", "86400", "\"a\tb\""])
    let piped = try await captured { try $0.print(table) }
    #expect(piped.output == "@\t300\t127.0.0.1\n_hello\t86400\t\"a\\tb\"\n")
    #expect(
      table.lines(style: .plain) == [
        "    name       ttl   data", "    @          300   127.0.0.1", "    _hello   86400   \"a\\tb\"",
      ])
    let shown = try await captured(interactive: true) { try $0.print(table) }
    #expect(shown.output.hasPrefix("\u{1b}[2m    name"))
  }

  @Test("colours need an able terminal and no NO_COLOR")
  func colours() {
    func style(_ interactive: Bool, _ term: String?, _ noColour: Bool) -> Bool {
      Terminal(descriptor: 1, isInteractive: interactive, term: term, noColour: noColour).style.isEnabled
    }
    #expect(style(true, "xterm-256color", false))
    #expect(!style(false, "xterm-256color", false))
    #expect(!style(true, "dumb", false))
    #expect(!style(true, nil, false))
    #expect(!style(true, "xterm", true))
    #expect(TextStyle.plain.red("x") == "x")
    #expect(TextStyle(isEnabled: true).red("x") == "\u{1b}[31mx\u{1b}[0m")
  }

  @Test("output that cannot be written is an error")
  func fullDisk() throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let terminal = Terminal(descriptor: full.fileDescriptor, isInteractive: false, term: nil, noColour: false)
    let console = Console(output: terminal, errors: terminal, json: false)
    #expect(throws: CommandError.self) { try console.print("x") }
    console.note("no crash")
  }

  @Test("progress draws nothing in a pipe or for a program, and its result comes through")
  func progress() async throws {
    let piped = try await captured { console in
      let result = await ProgressLine.show("working", on: console) { line in
        line.update("still working")
        return 7
      }
      #expect(result == 7)
    }
    #expect(piped.errors.isEmpty && piped.output.isEmpty)
    let program = try await captured(interactive: true, json: true) { console in
      await ProgressLine.show("working", on: console) { _ in }
    }
    #expect(program.errors.isEmpty)
  }

  @Test("progress leaves nothing behind on a terminal", .timeLimit(.minutes(10)))
  func progressClears() async throws {
    let shown = try await captured(interactive: true) { console in
      try await ProgressLine.show("working", on: console, after: .zero) { line in
        while !line.hasDrawn { try await Task.sleep(for: .milliseconds(1)) }
      }
    }
    #expect(shown.errors.contains("working"))
    #expect(shown.errors.hasSuffix("\r\u{1b}[K"))
  }

  @Test("what is written while progress shows takes its place instead of joining it")
  func progressGivesWay() async throws {
    let shown = try await captured(interactive: true) { console in
      console.redraw("working")
      console.note("a note")
      console.note("another")
      console.redraw("working")
      console.redraw("")
    }
    #expect(shown.errors == "\r\u{1b}[Kworking\r\u{1b}[Ka note\nanother\n\r\u{1b}[Kworking\r\u{1b}[K")
  }

  @Test("long words stay whole, other lines keep to the width")
  func wrapping() {
    let key = String(repeating: "k", count: 52)
    let lines = TextLayout.wrap("a key \(key) and some more words after it", width: 40, indent: 4)
    #expect(lines == ["    a key", "    \(key)", "    and some more words after it"])
    #expect(TextLayout.wrap("", width: 40) == [""])
    #expect(TextLayout.paragraphs("a\nb\n\n\nc") == ["a\nb", "c"])
  }
}
