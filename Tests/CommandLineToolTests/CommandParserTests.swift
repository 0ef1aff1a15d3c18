import Testing

@testable import CommandLineTool

@Suite("The command line")
struct CommandParserTests {
  private func run(_ words: String...) throws -> (String, ParsedArguments) {
    guard case .run(let path, let arguments) = try CommandParser.parse(words, root: Sample.root) else {
      throw CommandError.usage("not a run")
    }
    return (path.text, arguments)
  }

  private func failure(_ words: [String]) -> CommandError? {
    do throws(CommandError) {
      _ = try CommandParser.parse(words, root: Sample.root)
      return nil
    } catch {
      return error
    }
  }

  @Test("options stand anywhere, with a space or an equals sign")
  func options() throws {
    let (path, values) = try run(
      "--log-format=hex", "publish", "--every", "1h30m", "my.zone", "-v", "--bootstrap", "a:1", "--bootstrap=b:2", "x",
      "y")
    #expect(path == "tool publish")
    #expect(values[Sample.level] == .hex)
    #expect(values[Sample.every] == .seconds(5400))
    #expect(values[Sample.verbose] && !values[Sample.json])
    #expect(values.all(Sample.bootstrap) == ["a:1", "b:2"])
    #expect(try values.required(Sample.zone) == "my.zone")
    #expect(values.all(Sample.names) == ["x", "y"])
    #expect(values[Sample.output] == nil)
  }

  @Test("one-letter options join, and take their value with or without a space")
  func short() throws {
    #expect(try run("key", "make", "-vofile").1[Sample.output] == "file")
    let values = try run("key", "make", "-v", "-o", "file").1
    #expect(values[Sample.output] == "file" && values[Sample.verbose])
  }

  @Test("a dash alone is a value, and two dashes end the options")
  func dashes() throws {
    #expect(try run("publish", "-").1[Sample.zone] == "-")
    let values = try run("publish", "--", "--json", "--").1
    #expect(values[Sample.zone] == "--json" && values.all(Sample.names) == ["--"] && !values[Sample.json])
    #expect(try run("key", "make", "-o", "-").1[Sample.output] == "-")
    #expect(try run("key", "make", "--out=-x").1[Sample.output] == "-x")
    #expect(try run("key", "make", "--out=").1[Sample.output] == "")
  }

  @Test(
    "mistakes are named, with the nearest that exists",
    arguments: [
      (["pubish"], "\"pubish\" is not a command of tool", "Did you mean tool publish?"),
      (["zzz"], "\"zzz\" is not a command of tool", "Commands: key, publish."),
      (["key", "mkae"], "\"mkae\" is not a command of tool key", "Did you mean tool key make?"),
      (["publish", "--evry", "1h"], "there is no option --evry", "Did you mean --every?"),
      (["publish", "--nothing-like-it"], "there is no option --nothing-like-it", "See tool publish --help."),
      (["--json", "publish"], "tool has no option --json", "Write it after the command, as in tool publish --json."),
      (["publish", "-x"], "there is no option -x", "See tool publish --help."),
      (["publish"], "ZONE is missing: the zone file", "Usage: tool publish ZONE [NAME…] [options]"),
      (["key", "make", "x"], "\"x\" is one argument too many", "Usage: tool key make [options]"),
      (["publish", "z", "--every"], "--every needs a value: DURATION", "How often."),
      (
        ["publish", "z", "--every", "--json"], "--every needs a value: DURATION",
        "If --json is meant, write --every=--json."
      ),
      (["publish", "z", "--every", "5x"], "--every: \"5x\" is not a duration", "Write 1h."),
      (["publish", "z", "--every=1h", "--every=2h"], "--every was given twice", nil),
      (["publish", "z", "--json=1"], "--json takes no value, but \"1\" was given", nil),
      (["--log-format", "xml", "key", "make"], "--log-format: \"xml\" is not one of hex, text", nil),
    ] as [([String], String, String?)])
  func mistakes(words: [String], message: String, advice: String?) {
    let error = failure(words)
    #expect(error?.message == message)
    #expect(error?.advice == advice)
    #expect(error?.exitCode == .usage)
  }

  @Test("help and version are there at each level")
  func help() throws {
    for (words, expected) in [
      (["--help"], "tool"), (["key", "-h"], "tool key"), (["publish", "--help", "--nonsense"], "tool publish"),
      (["help", "key", "make"], "tool key make"), (["help"], "tool"), (["key", "help", "make"], "tool key make"),
      (["publish", "-vh"], "tool publish"),
    ] {
      guard case .help(let path) = try CommandParser.parse(words, root: Sample.root) else {
        Issue.record("\(words) is no help")
        continue
      }
      #expect(path.text == expected)
    }
    guard case .version = try CommandParser.parse(["--version"], root: Sample.root) else {
      Issue.record("no version")
      return
    }
    guard case .incomplete(let path) = try CommandParser.parse(["key"], root: Sample.root) else {
      Issue.record("not incomplete")
      return
    }
    #expect(path.text == "tool key")
  }
}
