import MainlineProtocol
import PlainText

/// How a node is doing, for persons and programs.
enum NodeReport {
  /// Lines of a name and a value each.
  static func lines(_ info: NodeInfo) -> [String] {
    var rows: [(String, String)] = []
    for family in info.families {
      let name = family.family == .ipv4 ? "IPv4" : "IPv6"
      rows.append(("\(name) id", family.id.description))
      rows.append(("\(name) address", family.publicEndpoint?.description ?? "not known yet"))
      rows.append(
        (
          "\(name) nodes",
          "\(NumberText.grouped(family.goodNodes)) good, \(NumberText.grouped(family.questionableNodes)) silent, "
            + "\(NumberText.grouped(family.secureNodes)) with a secure id, in \(NumberText.count(family.buckets, "bucket"))"
        ))
    }
    rows.append(("Network", size(info)))
    rows.append(("Mode", info.isServer ? "server" : "client"))
    rows.append(("Firewalled", info.isFirewalled ? "yes, as far as known" : "no"))
    rows.append(("Round trip", DurationText.describe(info.roundTrip)))
    if let rate = info.responseRate { rows.append(("Answered", "\(Int((rate * 100).rounded())) % of our questions")) }
    rows.append(("Up", DurationText.describe(info.uptime)))
    let width = (rows.map(\.0.count).max() ?? 0) + 3
    return rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count) + $0.1 }
  }

  /// `about 1,200,000 nodes (± 12 %)`
  private static func size(_ info: NodeInfo) -> String {
    guard info.networkSizeDeviation.isFinite else { return "size not known yet" }
    return "about \(NumberText.grouped(rounded(info.networkSize))) nodes "
      + "(± \(rounded(info.networkSizeDeviation * 100)) %)"
  }

  private static func rounded(_ value: Double) -> Int { value.isFinite ? Int(min(max(value.rounded(), 0), 1e15)) : 0 }

  /// One object; docs/command.md explains the fields.
  static func json(_ info: NodeInfo) -> JSON {
    let families = info.families.map { family -> JSON in
      [
        "family": .string(family.family.rawValue), "id": .string(family.id.description),
        "public_endpoint": family.publicEndpoint.map { .string($0.description) } ?? .null,
        "good_nodes": JSON(family.goodNodes), "questionable_nodes": JSON(family.questionableNodes),
        "secure_nodes": JSON(family.secureNodes), "buckets": JSON(family.buckets),
      ]
    }
    return [
      "families": .array(families), "server": .bool(info.isServer), "firewalled": .bool(info.isFirewalled),
      "network_size": JSON(rounded(info.networkSize)),
      "network_size_deviation": .number(info.networkSizeDeviation),
      "stored_items": JSON(info.storedItems), "stored_info_hashes": JSON(info.storedInfoHashes),
      "response_rate": info.responseRate.map { .number($0) } ?? .null,
      "round_trip_microseconds": JSON(DHTPingCommand.microseconds(info.roundTrip)),
      "uptime_seconds": JSON(info.uptime.components.seconds),
    ]
  }
}
