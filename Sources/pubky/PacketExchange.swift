import CommandLineTool
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PlainText

/// Signed packets to and from the DHT.
enum PacketExchange {
  /// A packet that was found.
  struct Found: Sendable {
    var packet: SignedPacket
    /// How the nodes of the DHT answered; nil if they were not asked, or not waited for.
    var counts: GetOutcome?
    var source = PacketSource.dht
    var isStale = false
    /// Who still serves something older; nil if only the DHT was asked.
    var report: FreshnessReport?

    init(packet: SignedPacket, counts: GetOutcome) {
      self.packet = packet
      self.counts = counts
    }

    init(_ resolution: Resolution) {
      packet = resolution.packet
      counts = resolution.report.dht?.lookup.counts
      source = resolution.source
      isStale = resolution.isStale
      report = resolution.report
    }
  }

  /// What a complete lookup of a key says.
  enum Newest: Sendable {
    case packet(Found)
    /// The newest item of this version is no signed packet. It counts all the same: what is older is outdated.
    case invalid(seq: Int64, SignedPacketError?)
    case nothing(GetOutcome)

    /// The version that a new packet must exceed; 0 if nothing is there.
    var seq: Int64 {
      switch self {
      case .packet(let found): found.packet.timestamp.seq
      case .invalid(let seq, _): seq
      case .nothing(let counts): max(0, counts.highestReportedSeq ?? 0)
      }
    }
  }

  /// Looks up the newest packet of a key at all nodes that may have it.
  ///
  /// - Throws: `QueryFailure`, also if no node answered at all: then nothing is known.
  static func newest(
    of key: PublicKey, newerThan seq: Int64? = nil, from node: MainlineNode
  ) async throws(QueryFailure) -> Newest {
    let (item, counts) = try await node.getMutable(key: key.verificationKey, newerThan: seq).outcome()
    guard let item else {
      if counts.responded == 0 { throw .noNodes }
      return .nothing(counts)
    }
    guard let value = item.bytes else { return .invalid(seq: item.seq, nil) }
    do throws(SignedPacketError) {
      let packet = try SignedPacket(
        key: item.key.bytes.span.bytes, value: value.span.bytes, seq: item.seq,
        signature: item.signature.bytes.span.bytes, isVerified: true)
      return .packet(Found(packet: packet, counts: counts))
    } catch {
      return .invalid(seq: item.seq, error)
    }
  }

  /// The version for a packet that replaces what is published: now, or one more than what is there (pkarr: the observed
  /// version counts even if it is no valid packet).
  ///
  /// - Throws: `CommandError` if nothing can be newer.
  static func timestamp(toReplace observed: Int64, _ console: Console) throws(CommandError) -> Timestamp {
    guard observed < .max else {
      throw CommandError(
        "not_most_recent", "the published version is \(observed), the highest there is, and cannot be replaced",
        exitCode: .refused)
    }
    let now = Timestamp.now()
    let next = Timestamp(seq: observed + 1)
    if next > now {
      let ahead = DurationText.describe(.microseconds(Int64(clamping: next.microseconds(since: now))))
      console.warn(
        "clock", "the published version lies \(ahead) in the future; the new one is put right after it",
        advice: "Is the clock of this machine right?")
    }
    return max(now, next)
  }

  /// Stores a packet at the nodes closest to its key.
  static func publish(_ packet: SignedPacket, through node: MainlineNode) async throws -> PutOutcome {
    let item: MutableItem
    do {
      item = try MutableItem(
        key: packet.publicKey.verificationKey, seq: packet.mutableItem().seq,
        value: ItemValue.encoding(byteString: packet.messageBytes), signature: packet.signature)
    } catch let error as NotPublishable {
      throw CommandError.input("\(error)")
    }
    return try await node.putMutable(item)
  }
}
