import Testing

@testable import CommandLineTool

@Suite("Hostile command lines")
struct HostileWordsTests {
  /// A repeatable generator (SplitMix64).
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
      return z ^ z >> 31
    }
  }

  @Test("whatever the words, the parser runs something, helps, or says what is wrong in one line")
  func randomWords() {
    let pool = [
      "publish", "key", "make", "help", "secret", "--", "-", "--json", "--json=", "--every", "--every=1h", "1h", "-v",
      "-o",
      "-ofile", "-vo", "-vh", "-h", "--help", "--version", "--bootstrap", "--bootstrap=\u{0}", "", "=", "--=", "---",
      "-=",
      "--out=\u{1b}[2J", "\u{202e}evil", "-é", "--é=é", "ünï", "a\nb", String(repeating: "x", count: 10_000),
      "--" + String(repeating: "y", count: 10_000), "--log-format", "hex", "\u{1f468}\u{200d}\u{1f469}",
    ]
    var generator = Generator(state: 42)
    var outcomes = (run: 0, help: 0, wrong: 0)
    for _ in 0..<20_000 {
      let words = (0..<Int.random(in: 0...6, using: &generator)).map { _ in pool.randomElement(using: &generator)! }
      do throws(CommandError) {
        switch try CommandParser.parse(words, root: Sample.root) {
        case .run(let path, let arguments):
          outcomes.run += 1
          // What was checked when it was parsed can be read.
          let every = arguments.options["every"] ?? []
          #expect(arguments.all(Sample.every).count == every.count)
          #expect(path.command.action != nil)
        case .help, .incomplete, .version: outcomes.help += 1
        }
      } catch {
        outcomes.wrong += 1
        #expect(!error.message.isEmpty && error.exitCode == .usage)
      }
    }
    #expect(outcomes.run > 100 && outcomes.help > 1000 && outcomes.wrong > 1000)
  }
}
