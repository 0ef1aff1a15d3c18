import Pkarr
import PlainText
import WireFormat

extension SignedPacket {
  /// The packet for programs: the fields that the command writes with `--json` (docs/command.md).
  func jsonFields(_ policy: CachePolicy) -> [JSON.Field] {
    [
      .init("key", .string(publicKey.z32)),
      .init("timestamp", JSON(timestamp.microseconds)),
      .init("ttl", JSON(ttl(policy).seconds)),
      .init("records", .array(records.map(json))),
      .init("bytes", .string(Hex.encode(bytes))),
    ]
  }

  private func json(_ record: ResourceRecord) -> JSON {
    [
      "name": .string(publicKey.relativeName(of: record.name)), "ttl": JSON(record.ttl),
      "type": .string(record.type.description), "data": .string(record.data.presentation),
    ]
  }

  /// The packet for people and name servers: a zone in master file format (RFC 1035 §5).
  var zoneText: String {
    "$ORIGIN \(publicKey.domainName.absoluteDescription)\n"
      + ZoneFile.text(for: records, origin: publicKey.domainName)
  }
}
