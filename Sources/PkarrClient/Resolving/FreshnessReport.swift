import MainlineProtocol
import Pkarr

/// Who holds the newest packet of a key and who does not, as far as a resolution has learnt.
public struct FreshnessReport: Sendable {
  /// What one relay serves.
  public struct Relay: Sendable, Hashable {
    /// The relay.
    public var url: RelayURL
    /// What it serves.
    public var standing: Standing
  }

  /// What a relay or node serves, compared with the newest packet.
  public enum Standing: Sendable, Hashable {
    /// The newest packet.
    case current
    /// An older packet, of this version.
    case older(Timestamp)
    /// No packet.
    case nothing
    /// It failed.
    case failed(RelayError)
    /// It was not waited for.
    case unanswered
  }

  /// What the nodes of the DHT serve that the packet belongs to.
  public struct DHT: Sendable, Hashable {
    /// Nodes that hold the newest version.
    public var nodesWithNewest: Int
    /// Nodes that hold an older version.
    public var nodesWithOlder: Int
    /// Nodes that hold nothing.
    public var nodesWithNothing: Int
    /// How the lookup went.
    public var lookup: ResolveReport
  }

  /// The version of the newest packet; nil if none was found.
  public var newest: Timestamp?
  /// The relays that were asked, in the order of the configuration.
  public var relays: [Relay]
  /// The DHT; nil if it was not asked, or its lookup was not waited for.
  public var dht: DHT?
  /// The figures of the DHT that somebody should look at.
  public var warnings: [ReportWarning]

  /// Relays that still serve an older packet, or none.
  public var relaysBehind: [RelayURL] {
    relays.compactMap { relay in
      switch relay.standing {
      case .older, .nothing: newest == nil ? nil : relay.url
      case .current, .failed, .unanswered: nil
      }
    }
  }

  /// Nodes of the DHT that still serve an older packet.
  public var nodesServingOlder: Int { dht?.nodesWithOlder ?? 0 }

  /// True if nobody who answered serves anything older.
  public var isAgreed: Bool { relaysBehind.isEmpty && nodesServingOlder == 0 }

  /// Nobody was asked.
  static let nobody = FreshnessReport(newest: nil, relays: [], dht: nil, warnings: [])
}

extension FreshnessReport: CustomStringConvertible {
  /// One line for a person: `3 of 21 DHT nodes and https://relay.example serve something older`.
  public var description: String {
    var parts: [String] = []
    if let dht, dht.nodesWithOlder > 0 {
      parts.append("\(dht.nodesWithOlder) of \(dht.nodesWithNewest + dht.nodesWithOlder) DHT nodes")
    }
    parts += relaysBehind.map(\.description)
    if parts.isEmpty { return "nobody who answered serves anything older" }
    return parts.joined(separator: ", ") + (parts.count == 1 ? " serves" : " serve") + " something older, or nothing"
  }
}

extension ResolveRace {
  /// Who holds what.
  func report(_ policy: ReportPolicy) -> FreshnessReport {
    let relays = zip(relayURLs, relays).map { FreshnessReport.Relay(url: $0, standing: standing($1)) }
    var dht: FreshnessReport.DHT?
    if let completion {
      let newestSeq = newest?.packet.timestamp.seq ?? .max
      let nodes = completion.report.counts.storageNodes
      let newestCount = nodes.count { ($0.seq ?? .min) >= newestSeq }
      let nothingCount = nodes.count { $0.seq == nil }
      dht = FreshnessReport.DHT(
        nodesWithNewest: newestCount, nodesWithOlder: nodes.count - newestCount - nothingCount,
        nodesWithNothing: nothingCount, lookup: completion.report)
    }
    return FreshnessReport(
      newest: newest?.packet.timestamp, relays: relays, dht: dht,
      warnings: completion?.report.warnings(policy) ?? [])
  }

  private func standing(_ state: RelayState) -> FreshnessReport.Standing {
    switch state {
    case .pending: .unanswered
    case .answered(let packet):
      newest.map { $0.packet.isMoreRecent(than: packet) } ?? false ? .older(packet.timestamp) : .current
    case .failed(.notFound): .nothing
    case .failed(let error): .failed(error)
    }
  }
}
