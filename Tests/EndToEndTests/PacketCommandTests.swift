import Foundation
import Pkarr
import Testing
import WireFormat

@Suite("pubky packet")
struct PacketCommandTests {
  private static let zone = """
    $TTL 300
    @       A      127.0.0.1
    _hello  TXT    "world"
    www 1h  CNAME  @
    """

  @Test("a zone from a file or from standard input is signed to the same bytes")
  func sign() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("zone", Self.zone)
      let arguments = ["packet", "sign", zone, "--key", file, "--timestamp", "1700000000000000"]
      let first = try await pubky.run(arguments)
      #expect(first.status == 0, "\(first.errors)")
      let bytes = try #require(Hex.decode(first.output.trimmingCharacters(in: .newlines)))
      let packet = try SignedPacket(bytes)
      #expect(packet.publicKey.z32 == key && packet.timestamp.microseconds == 1_700_000_000_000_000)
      #expect(packet.records.map(\.type.description) == ["A", "TXT", "CNAME"])
      #expect(packet.records.map(\.ttl) == [300, 300, 3600])
      let piped = try await pubky.run(
        "packet", "sign", "-", "--key", file, "--timestamp=1700000000000000", input: Self.zone)
      #expect(piped.output == first.output)
      let payload = try await pubky.run(arguments + ["--relay-payload"])
      #expect(payload.output == Hex.encode(packet.relayPayload) + "\n")
      let object = try #require(try await pubky.run(arguments + ["--json", "--relay-payload"]).objects().first)
      #expect(object["key"] == .text(key) && object["bytes"] == .text(Hex.encode(bytes)))
      #expect(object["timestamp"] == .integer(1_700_000_000_000_000) && object["ttl"] == .integer(300))
      #expect(object["relay_payload"] == .text(Hex.encode(packet.relayPayload)))
      #expect(
        object["records"]?.list?.last
          == .object(["name": .text("www"), "ttl": .integer(3600), "type": .text("CNAME"), "data": .text(key + ".")]))
    }
  }

  @Test("without --timestamp the version is the time of signing")
  func timestamp() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      let before = Timestamp.wallClock
      let output = try await pubky.run("packet", "sign", "-", "-k", file, input: Self.zone).output
      let packet = try SignedPacket(try #require(Hex.decode(output.trimmingCharacters(in: .newlines))))
      #expect(before <= packet.timestamp && packet.timestamp <= .wallClock)
      for bad in ["-1", "x", "18446744073709551616", "1.5", ""] {
        let outcome = try await pubky.run("packet", "sign", "-", "-k", file, "--timestamp=\(bad)", input: "")
        #expect(outcome.status == 2 && outcome.errors.contains("--timestamp: \"\(bad)\" is not a whole number"))
      }
    }
  }

  @Test("inspect takes digits, a file of digits, a file of bytes, and standard input")
  func inspect() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let hex = try await pubky.run("packet", "sign", "-", "-k", file, input: Self.zone).output
        .trimmingCharacters(in: .newlines)
      let bytes = try #require(Hex.decode(hex))
      let asText = try pubky.write("packet.hex", hex.uppercased() + "\r\n")
      let asBytes = pubky.path("packet.bin")
      try Data(bytes).write(to: URL(fileURLWithPath: asBytes))
      for (input, piped) in [(hex, ""), (asText, ""), (asBytes, ""), ("-", hex + "\n")] {
        let outcome = try await pubky.run("packet", "inspect", input, "--json", input: piped)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let object = try #require(try outcome.objects().first)
        #expect(object["key"] == .text(key) && object["bytes"] == .text(hex) && object["records"]?.list?.count == 3)
        #expect(object["signature"] == .text(Hex.encode(bytes[32..<96])))
      }
      let payload = Hex.encode(bytes[32...])
      let relay = try await pubky.run("packet", "inspect", payload, "--key", "pk:" + key)
      #expect(relay.status == 0 && relay.output.contains("Signature    valid"))
      #expect(relay.output.contains("www\t3600\tCNAME\t@\n"))
    }
  }

  @Test("a packet that is wrong is named with the byte where it goes wrong")
  func malformed() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      let hex = try await pubky.run("packet", "sign", "-", "-k", file, input: Self.zone).output
      let bytes = try #require(Hex.decode(hex.trimmingCharacters(in: .newlines)))
      func failure(_ bytes: [UInt8], _ arguments: String...) async throws -> String {
        let outcome = try await pubky.run(["packet", "inspect", "-"] + arguments, input: Hex.encode(bytes))
        #expect(outcome.status == 2 && outcome.output.isEmpty)
        return outcome.errors
      }
      var flipped = bytes
      flipped[150] ^= 1
      #expect(try await failure(flipped).contains("byte 32: the signature does not fit"))
      #expect(try await failure(Array(bytes[..<50])).contains("104 to 1104 bytes; this has 50"))
      #expect(try await failure([UInt8](repeating: 0, count: 1105)).contains("this has 1105"))
      let other = try await pubky.newKey("other.key").key
      #expect(try await failure(Array(bytes[32...]), "--key", other).contains("another key signed"))
      // Signed, but no DNS packet: the header announces a record that is not there.
      let pair = try Keypair(secretKeyText: String(contentsOfFile: file, encoding: .utf8))
      let message: [UInt8] = [0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0]
      let time = Timestamp(microseconds: 1)
      let signable = SignedPacket.signableBytes(timestamp: time, message: message.span.bytes)
      let signature = pair.signature(for: signable.span.bytes)
      let said = try await failure(pair.publicKey.bytes + signature.bytes + time.bytes + message)
      #expect(said.contains("the DNS packet is malformed") && said.contains("begins at byte 104"))
      let few = try await pubky.run("packet", "inspect", "c0ffee")
      #expect(few.status == 2 && few.errors.contains("104 to 1104 bytes; this has 3"))
      let empty = try await pubky.run("packet", "inspect", "/dev/null")
      #expect(empty.status == 2 && empty.errors.contains("this has 0"))
      #expect(try await pubky.run("packet", "inspect", "no-such-file").status == 2)
      #expect(try await pubky.run("packet", "inspect", "/dev/zero").errors.contains("larger than 16384 bytes"))
    }
  }

  @Test("a mistake in a zone file is shown with file, line, column, the word, and what to write")
  func zoneMistake() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      let zone = try pubky.write("zone", "@ A 127.0.0.1\n\nwww  300s5  CNAME  @\n")
      let outcome = try await pubky.run("packet", "sign", zone, "--key", file)
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      let lines = outcome.errors.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      #expect(lines[0].hasPrefix("pubky: \(zone):3:6: \"300s5\" is not"))
      #expect(lines[1] == "    www  300s5  CNAME  @" && lines[2] == "         ^^^^^")
      let piped = try await pubky.run("packet", "sign", "-", "--key", file, "--json", input: "www A 1.2.3\n")
      #expect(piped.status == 2)
      let error = try piped.error()
      #expect(error["error"] == .text("bad_input"))
      #expect(error["message"]?.text?.hasPrefix("standard input:1:7: \"1.2.3\"") == true)
      let binary = try await pubky.run("packet", "sign", "/bin/true", "--key", file)
      #expect(binary.status == 2 && binary.errors.contains("is not UTF-8 text"))
    }
  }

  @Test("sizes: 996 bytes reach everybody, 1000 are allowed with a warning, more are refused with the largest record")
  func sizes() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      /// A zone whose packet has `size` bytes: header 12, owner 3 + 54, fixed fields 10, then strings of 256 bytes.
      func zone(_ size: Int) -> String {
        var rest = size - 12 - 57 - 10
        var strings: [String] = []
        while rest > 0 {
          let count = min(rest, 256)
          strings.append("\"" + String(repeating: "a", count: count - 1) + "\"")
          rest -= count
        }
        return "_b TXT " + strings.joined(separator: " ")
      }
      let fits = try await pubky.run("packet", "sign", "-", "-k", file, input: zone(996))
      #expect(fits.status == 0 && fits.errors.isEmpty && fits.output.utf8.count == 2 * (104 + 996) + 1)
      let large = try await pubky.run("packet", "sign", "-", "-k", file, input: zone(1000))
      #expect(
        large.status == 0 && large.errors.contains("the packet has 1000 bytes; nodes of libtorrent take at most 996"))
      let tooLarge = try await pubky.run("packet", "sign", "-", "-k", file, input: zone(1038))
      #expect(tooLarge.status == 2 && tooLarge.errors.contains("1,038 bytes, 38 too many"))
      #expect(tooLarge.errors.contains("The largest: TXT _b"))
    }
  }
}
