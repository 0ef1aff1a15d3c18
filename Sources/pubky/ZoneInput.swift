import CommandLineTool
import Pkarr

/// Zone files: what a person writes to say what is published.
enum ZoneInput {
  static let argument = Argument("ZONE", completion: .file, "A zone file (RFC 1035), or - for standard input")

  /// What a zone file says, and what it is called.
  struct Zone {
    var path: String
    var text: String
    var records: [ResourceRecord]

    var name: String { InputFile.displayName(path) }
  }

  /// Reads a zone file for a key, and warns about what is odd in it.
  ///
  /// - Throws: `CommandError` with file, line and column of the first mistake.
  static func read(_ path: String, for key: PublicKey, _ console: Console) throws(CommandError) -> Zone {
    try parse(InputFile.readText(path, limit: ZoneFile.defaultSizeLimit, what: "a zone file"), path, key, console)
  }

  /// The same with `{external_ipv4}` and `{external_ipv6}` replaced by what they are now.
  ///
  /// - Throws: as the other, and if an address cannot be found.
  static func read(
    _ path: String, for key: PublicKey, _ console: Console, filling addresses: ExternalAddress
  ) async throws(CommandError) -> Zone {
    let text = try InputFile.readText(path, limit: ZoneFile.defaultSizeLimit, what: "a zone file")
    return try parse(try await addresses.fill(text, InputFile.displayName(path)), path, key, console)
  }

  private static func parse(
    _ text: String, _ path: String, _ key: PublicKey, _ console: Console
  ) throws(CommandError) -> Zone {
    let name = InputFile.displayName(path)
    let zone: ZoneFile
    do throws(ZoneFileError) {
      zone = try ZoneFile.parse(text, origin: key.domainName)
    } catch {
      throw explain(error, name)
    }
    for warning in zone.warnings { console.warn("zone", "\(name):\(warning.line): \(warning.message)") }
    return Zone(path: path, text: text, records: zone.records.map(\.record))
  }

  private static func explain(_ error: ZoneFileError, _ name: String) -> CommandError {
    let place = error.line == 0 ? name : "\(name):\(error.line):\(error.column)"
    // The source line and the marks below it.
    let marks = error.line == 0 ? [] : error.report(file: name).split(separator: "\n").dropFirst().prefix(2)
    return .input("\(place): \(error.message)", details: marks.map { String($0.dropFirst(4)) }, advice: error.hint)
  }

  /// Signs a zone.
  ///
  /// - Throws: `CommandError` if it does not fit into a packet, with the largest record.
  static func sign(_ zone: Zone, by keypair: Keypair, timestamp: Timestamp?) throws(CommandError) -> SignedPacket {
    do throws(SignedPacketBuildError) {
      return try SignedPacket(signedBy: keypair, timestamp: timestamp, records: zone.records)
    } catch {
      let lines = "\(error)".split(separator: "\n").map(String.init)
      throw .input("\(zone.name): \(lines.first ?? "")", advice: lines.count > 1 ? lines[1] : nil)
    }
  }
}
