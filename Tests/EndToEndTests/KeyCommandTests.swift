import Foundation
import Pkarr
import Testing
import WireFormat

@Suite("pubky key")
struct KeyCommandTests {
  @Test("a new key file is readable by its owner alone, whatever the umask, and holds 64 digits")
  func new() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      #expect(try pubky.mode("my.key") == 0o600)
      let digits = try String(contentsOfFile: file, encoding: .utf8)
      #expect(digits.utf8.count == 64)
      #expect(try Keypair(secretKeyText: digits).publicKey.z32 == key)
      // Nothing temporary stays behind.
      #expect(try FileManager.default.contentsOfDirectory(atPath: pubky.folder.path) == ["my.key"])
    }
  }

  @Test("an existing file is never overwritten, nor what a link points to")
  func noOverwrite() async throws {
    try await PubkyCommand.inFolder { pubky in
      let file = try pubky.write("precious", "do not touch")
      let outcome = try await pubky.run("key", "new", "--out", file)
      #expect(outcome.status == 2)
      #expect(outcome.errors.hasPrefix("pubky: \(file) exists already\n    A key is never overwritten."))
      #expect(try String(contentsOfFile: file, encoding: .utf8) == "do not touch")
      try FileManager.default.createSymbolicLink(atPath: pubky.path("link"), withDestinationPath: pubky.path("nowhere"))
      #expect(try await pubky.run("key", "new", "--out", pubky.path("link")).status == 2)
      #expect(!FileManager.default.fileExists(atPath: pubky.path("nowhere")))
      #expect(try await pubky.run("key", "new", "--out", pubky.path("no/such/folder")).status == 2)
      #expect(try await pubky.run("key", "new", "--out", "-").status == 2)
      #expect(try Set(FileManager.default.contentsOfDirectory(atPath: pubky.folder.path)) == ["precious", "link"])
    }
  }

  @Test("without --out the key goes into the configuration folder, and publish and sign find it there")
  func defaultKey() async throws {
    try await PubkyCommand.inFolder { pubky in
      let missing = try await pubky.run("packet", "sign", "-", input: "")
      #expect(missing.status == 2)
      #expect(missing.errors.contains("--key FILE is missing") && missing.errors.contains("key new"))
      let made = try await pubky.run("key", "new", "--json")
      let object = try #require(try made.objects().first)
      #expect(object["file"] == .text(pubky.path(".config/pubky/default.key")))
      #expect(try pubky.mode(".config/pubky/default.key") == 0o600)
      #expect(try pubky.mode(".config/pubky") == 0o700)
      #expect(try await pubky.run("packet", "sign", "-", input: "").status == 0)
      var elsewhere = pubky
      elsewhere.environment["XDG_CONFIG_HOME"] = pubky.path("xdg")
      #expect(try await elsewhere.run("key", "new").status == 0)
      #expect(try pubky.mode("xdg/pubky/default.key") == 0o600)
    }
  }

  @Test("a key is shown in each form, and other programs read them")
  func export() async throws {
    try await PubkyCommand.inFolder { pubky in
      let seed = String(repeating: "9d61b19deffd5a60", count: 4)
      let file = try pubky.write("a.key", seed + "\n")
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
      let pair = try Keypair(secretKeyText: seed)
      let shown = try await pubky.run("key", "show", file, "--json")
      #expect(
        try shown.objects() == [
          [
            "key": .text(pair.publicKey.z32), "uri": .text("pk:" + pair.publicKey.z32),
            "hex": .text(Hex.encode(pair.publicKey.bytes)), "target": .text(Hex.encode(pair.publicKey.target.bytes)),
          ]
        ])
      #expect(try await pubky.run("key", "show", file).output == pair.publicKey.z32 + "\n")
      #expect(try await pubky.run("key", "export", file, "--format", "hex").output == seed + "\n")
      #expect(try await pubky.run("key", "export", file, "--format=z32").output == pair.publicKey.z32 + "\n")
      for (format, label, der) in [
        ("pkcs8", "PRIVATE", pair.pkcs8), ("spki", "PUBLIC", pair.publicKey.subjectPublicKeyInfo),
      ] {
        let lines = try await pubky.run("key", "export", file, "-f", format).output.split(separator: "\n")
        #expect(lines.first == "-----BEGIN \(label) KEY-----" && lines.last == "-----END \(label) KEY-----")
        let body = lines.dropFirst().dropLast().joined()
        #expect(Data(base64Encoded: body).map { [UInt8]($0) } == der)
      }
      let object = try #require(try await pubky.run("key", "export", file, "-f", "pkcs8", "--json").objects().first)
      #expect(object["secret"] == .bool(true) && object["format"] == .text("pkcs8"))
    }
  }

  @Test("a key file that others can read is warned about")
  func wideMode() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
      let outcome = try await pubky.run("key", "show", file)
      #expect(outcome.status == 0 && outcome.output == key + "\n")
      #expect(outcome.errors.contains("can be read by others: its mode is 644") && outcome.errors.contains("chmod 600"))
      let json = try await pubky.run("key", "show", file, "--json")
      #expect(try json.error()["warning"] == .text("key_file_mode"))
    }
  }

  @Test(
    "what is no key file is named with the reason",
    arguments: [
      ("", "32 bytes; this is 0"), ("zz", "holds something else"), ("abc", "this is 3"),
      (String(repeating: "a", count: 62), "this is 31"), (String(repeating: "+f", count: 32), "holds something else"),
      (String(repeating: "a", count: 5000), "larger than 4096 bytes"),
    ])
  func badKeyFile(text: String, reason: String) async throws {
    try await PubkyCommand.inFolder { pubky in
      let file = try pubky.write("bad.key", text)
      let outcome = try await pubky.run("key", "show", file, "--json")
      #expect(outcome.status == 2)
      let line = try #require(outcome.errors.split(separator: "\n").last)
      let error = try JSONDecoder().decode([String: JSONField].self, from: Data(line.utf8))
      #expect(error["error"] == .text("bad_input"))
      #expect(error["message"]?.text?.hasPrefix(file) == true && error["message"]?.text?.contains(reason) == true)
    }
  }

  @Test("a file that is not there is named")
  func missingFile() async throws {
    try await PubkyCommand.inFolder { pubky in
      let outcome = try await pubky.run("key", "show", "nothing.key")
      #expect(outcome.status == 2)
      #expect(outcome.errors == "pubky: nothing.key: a secret key cannot be read: No such file or directory\n")
      #expect(try await pubky.run("key", "show", "/").status == 2)
    }
  }
}
