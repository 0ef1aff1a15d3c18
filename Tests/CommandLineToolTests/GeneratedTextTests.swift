import Foundation
import Testing

@testable import CommandLineTool

@Suite("Text made from the tree of commands")
struct GeneratedTextTests {
  /// Runs a program with `text` on its standard input; what it says, and its status.
  private func check(_ program: String, _ arguments: [String], _ text: String) throws -> (Int32, String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    input.fileHandleForWriting.write(Data(text.utf8))
    try input.fileHandleForWriting.close()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, said)
  }

  static func exists(_ program: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
    }
  }

  @Test("bash accepts its completions and offers what may follow", .enabled(if: exists("bash")))
  func bash() throws {
    let script = Sample.program.completions(for: .bash)
    #expect(try check("bash", ["-n"], script) == (0, ""))
    func offers(_ words: String...) throws -> Set<Substring> {
      let list = words.map { "'\($0)'" }.joined(separator: " ")
      let question = "\nCOMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1); _tool; printf '%s\\n' \"${COMPREPLY[@]}\""
      let (status, said) = try check("bash", ["-s"], script + question)
      #expect(status == 0)
      return Set(said.split(separator: "\n"))
    }
    #expect(try offers("tool", "p") == ["publish"])
    #expect(try offers("tool", "key", "").contains("make"))
    #expect(try offers("tool", "s") == [])
    #expect(try offers("tool", "publish", "--e") == ["--every"])
    #expect(try offers("tool", "key", "make", "--log-format", "") == ["hex", "text"])
    #expect(try offers("tool", "--v") == ["--verbose", "--version"])
  }

  @Test("zsh accepts its completions", .enabled(if: exists("zsh")))
  func zsh() throws { #expect(try check("zsh", ["-n"], Sample.program.completions(for: .zsh)) == (0, "")) }

  @Test("fish accepts its completions", .enabled(if: exists("fish")))
  func fish() throws {
    let script = Sample.program.completions(for: .fish)
    #expect(try check("fish", ["-n"], script) == (0, ""))
    let (status, said) = try check("fish", [], script + "\ncomplete -C 'tool publish --e'\ncomplete -C 'tool ke'")
    #expect(status == 0)
    #expect(said == "--every\tHow often\nkey\tKeys\n")
  }

  @Test("groff finds nothing to warn about in the manual page", .enabled(if: exists("groff")))
  func manual() throws {
    let page = Sample.program.manualPage(
      environment: [.init("NO_COLOR", "No colours.")], files: [.init("~/x", "A file.")])
    let (status, said) = try check("groff", ["-ww", "-man", "-Tutf8", "-Kutf8", "-P-cbou"], page)
    #expect(status == 0)
    #expect(!said.contains("warning") && !said.contains("error:"))
    for part in [
      "tool - A tool for tests", ".Second 'paragraph' \\ with ~ and -dashes.", "--every DURATION", "EXIT STATUS", "~/x",
    ] {
      #expect(said.contains(part), "\(part) is missing in \(said)")
    }
    #expect(!said.contains("secret"))
  }

  @Test("help shows all that is visible and keeps to the width", arguments: [40, 60, 100])
  func help(width: Int) {
    for path in CommandPath(Sample.root).visibleTree {
      let text = HelpText(path: path, width: width, style: .plain).text
      #expect(text.contains("Usage: \(path.text)"))
      #expect(text.contains("--help") && text.contains("--verbose"))
      #expect(!text.contains("secret"))
      for line in text.split(separator: "\n") where !line.hasPrefix("Usage:") && !line.hasPrefix("  tool") {
        #expect(line.count <= width, "\(line)")
      }
    }
    let publish = HelpText(path: CommandPath(Sample.root).descending(to: Sample.publish), width: 80, style: .plain).text
    #expect(publish.contains("\n      --bootstrap HOST:PORT  Where to begin (may be repeated)\n"))
    #expect(publish.contains("\n  ZONE  The zone file\n"))
  }
}
