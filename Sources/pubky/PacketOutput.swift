import CommandLineTool
import Logging
import Pkarr
import PkarrClient
import PlainText
import WireFormat

/// How signed packets are shown: one form for all commands.
enum PacketOutput {
  /// The fields of a packet for programs; docs/command.md explains them. `records` stands in for all of the packet's.
  static func fields(_ packet: SignedPacket, records: [ResourceRecord]? = nil) -> [JSON.Field] {
    [
      .init("key", .string(packet.publicKey.z32)),
      .init("timestamp", JSON(packet.timestamp.microseconds)),
      .init("ttl", JSON(packet.ttl().seconds)),
      .init("records", .array((records ?? packet.records).map { json($0, in: packet.publicKey) })),
      .init("bytes", .string(Hex.encode(packet.bytes))),
    ]
  }

  private static func json(_ record: ResourceRecord, in key: PublicKey) -> JSON {
    [
      "name": .string(key.relativeName(of: record.name)), "ttl": JSON(record.ttl),
      "type": .string(record.type.description), "data": .string(record.data.presentation),
    ]
  }

  /// Records under headings.
  static func table(_ records: [ResourceRecord], in key: PublicKey) -> Table {
    var table = Table(["name", "ttl", "type", "data"], alignments: [.left, .right, .left, .left])
    for record in records {
      table.add([
        key.relativeName(of: record.name), String(record.ttl), record.type.description,
        record.data.presentation(relativeTo: key.domainName),
      ])
    }
    return table
  }

  /// `4 records, 214 of 1000 bytes`
  static func size(_ packet: SignedPacket) -> String {
    "\(NumberText.count(packet.recordCount, "record")), \(packet.messageBytes.count) of "
      + "\(SignedPacket.maximumMessageLength) bytes"
  }

  /// When a packet was signed, as seen from now: `3 min ago`.
  static func age(_ packet: SignedPacket) -> String {
    let signed = WallClockTime(microseconds: packet.timestamp.microseconds)
    return DurationText.relative(signed.since(.now))
  }

  /// Warns about a packet that part of the network does not take.
  static func warnIfTooLargeForSome(_ packet: SignedPacket, _ console: Console) {
    guard packet.reach == .someNodes else { return }
    console.warn(
      "large_packet",
      "the packet has \(packet.messageBytes.count) bytes; nodes of libtorrent take at most "
        + "\(SignedPacket.everybodyMessageLength), so part of the network will refuse it",
      advice: "Shorten a record to reach everybody.")
  }
}

extension PacketSource {
  /// For programs: `cache`, `dht`, or the address of the relay.
  var word: String {
    switch self {
    case .cache: "cache"
    case .dht: "dht"
    case .relay(let url): url.description
    }
  }
}
