import HTTP
import PlainText
import Republisher

/// Whether a relay is well, and if not, what is wrong.
struct RelayHealth: Hashable, Sendable {
  /// The verdict.
  enum Verdict: String, Sendable {
    /// All is as it should be.
    case ok
    /// It answers, but not as well as it should.
    case degraded
    /// It cannot do its work.
    case failing
  }

  /// Fewer good nodes in the routing table than this are a sign of a bad connection.
  static let fewNodes = 8
  /// A smaller share of answered requests than this is a sign of a bad connection.
  static let lowResponseRate = 0.25
  /// Of fewer packets that are kept alive nothing can be said.
  static let manyChecks = 20
  /// A write that waits longer than this is a sign of a bad disk.
  static let longWait = Duration.seconds(5)

  /// The verdict.
  private(set) var verdict = Verdict.ok
  /// What is wrong, a sentence each.
  private(set) var reasons: [String] = []

  /// Judges.
  init(_ status: RelayStatus) {
    if let node = status.node {
      if node.goodNodes == 0 {
        note(.degraded, "the DHT node knows no other node: is UDP blocked, or has it just been started?")
      } else if node.goodNodes < Self.fewNodes, node.networkSize >= 100 {
        note(.degraded, "the DHT node knows only \(NumberText.count(node.goodNodes, "other node"))")
      }
      if let rate = node.responseRate, rate < Self.lowResponseRate, node.requestsSent >= 100 {
        note(.degraded, "only \(Int(rate * 100)) % of the DHT node's requests are answered")
      }
    } else {
      note(.failing, "the DHT node has ended")
    }
    if let wait = status.cache.oldestWaitingWrite, wait > Self.longWait {
      note(.degraded, "a packet has waited \(DurationText.describe(wait)) to be written to disk")
    }
    if status.cache.failedWrites > 0 {
      note(.degraded, "\(NumberText.count(status.cache.failedWrites, "write")) to the cache failed: is the disk full?")
    }
    if let republishing = status.republishing { judge(republishing) }
  }

  private mutating func judge(_ republishing: RepublishStatus) {
    let round = republishing.round
    // Of what nobody publishes there is nothing to be put.
    let failed = round.failed - (round.failures[RepublishFailure.notFound.name] ?? 0)
    if round.checked >= Self.manyChecks, 2 * failed > round.checked {
      note(.degraded, "\(failed) of \(round.checked) packets that are kept alive could not be put")
    }
  }

  private mutating func note(_ verdict: Verdict, _ reason: String) {
    if self.verdict != .failing { self.verdict = verdict }
    reasons.append(reason)
  }
}

extension RelayHealth {
  /// The answer to `GET /health`: 200 while the relay can work, 503 once it cannot.
  static func response(_ status: RelayStatus) -> HTTPResponse {
    let health = RelayHealth(status)
    var text: [UInt8] = []
    health.json(status).write(to: &text)
    text.append(UInt8(ascii: "\n"))
    return HTTPResponse(
      health.verdict == .failing ? .serviceUnavailable : .ok,
      fields: [.contentType: "application/json", .cacheControl: "no-store"], body: .bytes(text))
  }

  private func json(_ status: RelayStatus) -> JSON {
    let cache = status.cache
    return [
      "status": .string(verdict.rawValue),
      "reasons": .array(reasons.map { .string($0) }),
      "version": .string(status.version),
      "uptime_seconds": JSON(status.uptime.components.seconds),
      "dht": status.node.map(Self.json) ?? .null,
      "cache": [
        "packets": JSON(cache.packets), "capacity": JSON(cache.capacity),
        "fill": .number(cache.fill), "memory_packets": JSON(cache.memoryPackets),
        "oldest_waiting_write_milliseconds": cache.oldestWaitingWrite.map { JSON($0.wholeMilliseconds) } ?? .null,
        "failed_writes": JSON(cache.failedWrites),
      ],
      "load": [
        "connections": JSON(status.load.connections), "lookups": JSON(status.load.lookups),
        "waiting_requests": JSON(status.load.waitingRequests),
        "waiting_verifications": JSON(status.load.waitingVerifications), "watchers": JSON(status.load.watchers),
      ],
      "republish": status.republishing.map(Self.json) ?? .null,
    ]
  }

  private static func json(_ status: RepublishStatus) -> JSON {
    let round = status.round
    return [
      "keys": JSON(status.keys), "due": JSON(status.due), "round": JSON(round.number),
      "published": JSON(round.published), "already_alive": JSON(round.alreadyAlive),
      "superseded": JSON(round.superseded), "failed": JSON(round.failed), "thin": JSON(round.thin),
    ]
  }

  private static func json(_ node: RelayStatus.Node) -> JSON {
    [
      "network_size": .number(node.networkSize.rounded()),
      "network_size_deviation": .number(node.networkSizeDeviation),
      "good_nodes": JSON(node.goodNodes), "questionable_nodes": JSON(node.questionableNodes),
      "response_rate": node.responseRate.map { .number($0) } ?? .null,
      "round_trip_milliseconds": JSON(node.roundTrip.wholeMilliseconds),
      "port": JSON(node.port), "server": .bool(node.isServer), "firewalled": .bool(node.isFirewalled),
      "stored_items": JSON(node.storedItems),
    ]
  }
}

extension RelayStatus.Cache {
  /// Packets kept by those that fit, 0 to 1; 0 if none fit.
  var fill: Double { capacity > 0 ? Double(packets) / Double(capacity) : 0 }
}
