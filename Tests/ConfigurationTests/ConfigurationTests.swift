import Configuration
import Testing

/// A configuration with every kind of value.
private struct Settings: Decodable {
  enum Mode: String, CaseIterable { case client, server }
  struct Node: Decodable {
    var port: UInt16
    var mode: Mode
    var bootstrap: [String]
    var every: Duration
    enum CodingKeys: String, CodingKey { case port, mode, bootstrap, every }
    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      port = try values.decode(.port, default: 6881, in: 1...65535)
      mode = try values.decode(.mode, default: .client)
      bootstrap = try values.decode(.bootstrap, default: [])
      every = try values.decode(.every, default: .seconds(3600), in: .seconds(60)...(.seconds(86_400)))
    }
  }
  struct Peer: Decodable {
    var host: String
    var weight: Double?
  }
  var name: String
  var verbose: Bool
  var dht: Node?
  var peers: [Peer]
  var limits: [String: Int]
  enum CodingKeys: String, CodingKey { case name, verbose, dht, peers, limits }
  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.decode(.name, default: "unnamed")
    verbose = try values.decode(.verbose, default: false)
    dht = try values.decodeIfPresent(Node.self, forKey: .dht)
    peers = try values.decode(.peers, default: [])
    limits = try values.decode(.limits, default: [:])
  }
}

@Suite("The configuration decoder")
struct ConfigurationTests {
  private func decode(_ text: String) throws(ConfigurationError) -> Settings {
    try ConfigurationDecoder().decode(Settings.self, from: text, file: "node.toml")
  }

  private func failure(_ text: String) -> String? {
    do throws(ConfigurationError) {
      _ = try decode(text)
      return nil
    } catch {
      return error.description
    }
  }

  @Test("an empty file gives the defaults")
  func defaults() throws {
    let settings = try decode("")
    #expect(settings.name == "unnamed" && !settings.verbose && settings.dht == nil && settings.peers.isEmpty)
    #expect(try decode("[dht]").dht?.port == 6881)
  }

  @Test("every kind of value is read")
  func values() throws {
    let settings = try decode(
      """
      name = "näme"   # a comment
      verbose = true
      limits = { a = 1, b = -2 }
      [dht]
      port = 7000
      mode = "server"
      bootstrap = ["a:1", 'b:2']
      every = "1h30m"
      [[peers]]
      host = "h1"
      weight = 2
      [[peers]]
      host = "h2"
      """)
    #expect(settings.name == "näme" && settings.verbose)
    #expect(settings.limits == ["a": 1, "b": -2])
    #expect(settings.dht?.port == 7000 && settings.dht?.mode == .server)
    #expect(settings.dht?.bootstrap == ["a:1", "b:2"] && settings.dht?.every == .seconds(5400))
    #expect(settings.peers.map(\.host) == ["h1", "h2"] && settings.peers[0].weight == 2)
    #expect(try decode("dht.every = 90").dht?.every == .seconds(90))
  }

  @Test("a mistake is reported with file, line, column, key, and what to do")
  func mistakes() {
    let cases: [(String, String)] = [
      ("[dht]\n  prot = 1", "node.toml:2:3: dht.prot: no such key. Did you mean port?"),
      ("colour = 1", "node.toml:1:1: colour: no such key"),
      ("[dhd]\nport = 1", "node.toml:1:2: dhd: no such key. Did you mean dht?"),
      ("[[peers]]\nhost = \"a\"\nwait = 1", "node.toml:3:1: peers[0].wait: no such key"),
      ("[dht]\nport = 70000", "node.toml:2:8: dht.port: 70000 is outside of 0…65535"),
      ("[dht]\nport = 0", "node.toml:2:8: dht.port: 0 is outside of 1…65535"),
      ("[dht]\nport = \"x\"", "node.toml:2:8: dht.port: expected a whole number, found text"),
      ("verbose = 1", "node.toml:1:11: verbose: expected true or false, found a whole number"),
      ("name = [1]", "node.toml:1:8: name: expected text, found a list"),
      ("dht = 3", "node.toml:1:7: dht: expected a table, found a whole number"),
      ("[dht]\nbootstrap = [\"a\",\n 5]", "node.toml:3:2: dht.bootstrap[1]: expected text, found a whole number"),
      ("dht.mode = \"srever\"", "node.toml:1:12: dht.mode: \"srever\" is none of client, server"),
      (
        "dht.every = \"1x\"",
        "node.toml:1:13: dht.every: \"1x\" is not a duration; write seconds (90) or units (\"5m\", \"1h30m\", \"2d\")"
      ),
      ("dht.every = \"5s\"", "node.toml:1:13: dht.every: 5 s is outside of 1 min…1 d"),
      ("[[peers]]\nhots = \"a\"", "node.toml:1:1: peers[0].host: this key is required and missing. Is hots a slip?"),
      (
        "[[peers]]\n\"\\thost\" = \"a\"",
        "node.toml:1:1: peers[0].host: this key is required and missing. Is \\thost a slip?"
      ),
      ("limits.a = 1.5", "node.toml:1:12: limits.a: expected a whole number, found a number"),
    ]
    for (text, message) in cases { #expect(failure(text) == message) }
  }

  @Test("what is not TOML is reported with its place")
  func notTOML() throws {
    for (text, place) in [
      ("[dht\n", "node.toml:1:5:"), ("a = 1\nb = ", "node.toml:2:5:"), ("a = 1\na = 2", "node.toml:2:"),
    ] {
      #expect(try #require(failure(text)).hasPrefix(place), "\(failure(text) ?? "")")
    }
    #expect(failure("name = \"\u{1}\"") != nil)
    // toml++ asserts on these.
    for header in ["[=]", "[[=]]", "[.a]", "[#]", "[é]", "["] {
      let message = try #require(failure("name = \"x\"\n\(header)\n"))
      #expect(message.hasPrefix("node.toml:2:1: this line is not TOML"), "\(message)")
    }
  }

  @Test("letters beyond ASCII are text where text may be, and an error elsewhere")
  func letters() throws {
    #expect(try decode("name = \"é ü Ж 漢 \u{1f600}\" # ¡ô!").name == "é ü Ж 漢 \u{1f600}")
    #expect(try decode("[limits]\n\"é\" = 1").limits == ["é": 1])
    for text in ["é = 1", "dht.é = 1", "verbose = true é", "name = é", "limits = { é = 1 }"] {
      #expect(failure(text)?.hasPrefix("node.toml:1:") == true, "\(text)")
    }
  }

  @Test("what the decoder is given reaches the types that it decodes")
  func userInfo() throws {
    struct Folder: Decodable {
      var name: String
      init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        name = try values.nestedContainer(keyedBy: Key.self, forKey: .in).decode(String.self, forKey: .name)
        let place = decoder.userInfo[CodingUserInfoKey(rawValue: "place")!] as? String
        name = (place ?? "nowhere") + "/" + name
      }
      enum Key: String, CodingKey { case name, `in` }
    }
    let place = CodingUserInfoKey(rawValue: "place")!
    let text = "in.name = \"a\""
    #expect(
      try ConfigurationDecoder(userInfo: [place: "here"]).decode(Folder.self, from: text, file: "f").name == "here/a")
    #expect(try ConfigurationDecoder().decode(Folder.self, from: text, file: "f").name == "nowhere/a")
  }

  @Test("of several unknown keys the first in the text is named")
  func firstUnknown() { #expect(failure("zz = 1\naa = 2")?.hasPrefix("node.toml:1:1: zz:") == true) }

  @Test("a hostile file is refused without exhausting the stack")
  func hostile() {
    let deepKey = Array(repeating: "a", count: 200_000).joined(separator: ".")
    #expect(failure("\n\(deepKey) = 1") == "node.toml:2:1: a key has more than 16 dots")
    #expect(failure("[\(deepKey)]")?.contains("more than 16 dots") == true)
    #expect(failure("x = \"\"\"\n\"\"\"\n\(deepKey) = 1") == "node.toml:3:1: a key has more than 16 dots")
    #expect(failure("x = " + String(repeating: "[", count: 100_000))?.contains("nested") == true)
    #expect(failure("x = " + String(repeating: "{a=", count: 100_000))?.contains("nested") == true)
    #expect(failure(String(repeating: "#", count: 1 << 20) + "#")?.contains("larger than 1,048,576 bytes") == true)
  }

  @Test("dots in strings, comments and lists of numbers are no depth")
  func dots() throws {
    let manyDots = String(repeating: ".", count: 100)
    #expect(try decode("name = \"\(manyDots)\" # \(manyDots)").name == manyDots)
    #expect(try decode("name = '''\n\(manyDots)'''").name == manyDots)
    #expect(
      failure("x = [" + Array(repeating: "1.5", count: 100).joined(separator: ",") + "]")?.contains("no such key")
        == true)
  }

  @Test("a damaged file gives settings or an error with its place, never a crash")
  func damaged() {
    let whole = Array(
      """
      name = "x"
      verbose = true
      limits = { a = 1, b = -2 }
      [dht]
      port = 7000
      mode = "server"
      bootstrap = ["a:1", 'b:2', \"\"\"c\"\"\"]
      every = "1h30m"
      when = 1979-05-27T07:32:00Z
      [[peers]]
      host = "h1"
      weight = 2.5e3
      """.utf8)
    var state: UInt64 = 7
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var failures = 0
    for _ in 0..<3000 {
      var bytes = whole
      for _ in 0...random(4) {
        switch random(3) {
        case 0: bytes[random(bytes.count)] = UInt8(random(256))
        case 1: bytes.remove(at: random(bytes.count))
        default: bytes.insert(Array("[]{}=.\"'#\n,\\".utf8)[random(12)], at: random(bytes.count))
        }
      }
      if let message = failure(String(decoding: bytes, as: UTF8.self)) {
        failures += 1
        #expect(message.hasPrefix("node.toml:"))
      }
    }
    #expect(failures > 1000)
  }
}
