import DNSResolution
import DNSWire
import HTTP
import Pkarr
import PlainText
import Republisher

/// What those who run a server may see and do: status page, health, metrics, and forgetting what is cached.
final class AdminHandler: Sendable {
  private let shards: [ResolverShard]
  private let status: ServerStatusReader

  init(_ shards: [ResolverShard], _ status: ServerStatusReader) {
    self.shards = shards
    self.status = status
  }

  /// The handler of all requests.
  var handler: HTTPHandler {
    let status = status
    var router = HTTPRouter()
    router.on(.get, "/") { _, _ in ServerPage.response(await status.read()) }
    router.on(.get, "/status") { _, _ in ServerPage.response(await status.read()) }
    router.on(.get, "/metrics") { _, _ in ServerMetrics.response(await status.read()) }
    router.on(.get, "/healthz") { _, _ in Self.json(.ok, ["status": "ok", "version": .string(status.version)]) }
    for path in ["/readyz", "/health"] { router.on(.get, path) { _, _ in Self.readiness(await status.read()) } }
    router.on(.get, "/lookup") { request, _ in try await self.lookUp(request) }
    router.on(.post, "/flush") { request, _ in try await self.flush(request) }
    let routes = router
    return { request in
      // A page in a browser of this machine must not be able to act here, whatever name leads to it.
      if request.method == .post, request.fields.contains(.origin) {
        return .text("Not for web pages.", status: .forbidden)
      }
      return try await HTTPChain.response(to: request, routes.handler)
    }
  }

  static func json(_ status: HTTPStatus, _ object: JSON) -> HTTPResponse {
    HTTPResponse(
      status, fields: [.contentType: "application/json", .cacheControl: "no-store"],
      body: .bytes(Array("\(object)\n".utf8)))
  }

  /// 200 if both kinds of names can be resolved, else 503; either way with each part.
  static func readiness(_ status: ServerStatus) -> HTTPResponse {
    json(
      status.isReady ? .ok : .serviceUnavailable,
      [
        "status": status.isReady ? "ready" : "not ready",
        "version": .string(status.version), "uptime_seconds": JSON(status.uptime.components.seconds),
        "keys": [
          "ready": .bool(status.network.isReady), "dht": .bool(status.network.usesDHT),
          "good_nodes": JSON(status.network.goodNodes),
          "response_rate": status.network.responseRate.map { .number($0) } ?? .null,
          "relays": .array(status.network.relays.map { .string($0) }), "outage": .bool(status.isInOutage),
        ],
        "forward": [
          "ready": .bool(status.forwards),
          "servers": .array(
            status.upstreams.map {
              [
                "server": .string("\($0.server)"), "up": .bool(!$0.isDead),
                "round_trip_milliseconds": $0.roundTrip.map { JSON($0.wholeMilliseconds) } ?? .null,
              ]
            }),
        ],
        "republish": status.republishing.map(figures) ?? .null,
      ])
  }

  /// `GET /lookup?name=NAME[&type=TYPE][&form=text]`: the answer, and the steps that led to it, of the first thread.
  private func lookUp(_ request: HTTPRequest) async throws -> HTTPResponse {
    let parameters = request.target.parameters ?? []
    func value(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
    guard let text = value("name"), let name = try? DomainName(text) else {
      throw HTTPRefusal(.badRequest, "The parameter name is missing or no domain name.")
    }
    let typeText = value("type") ?? "A"
    guard let type = UInt16(typeText).map(RecordType.init(rawValue:)) ?? RecordType(typeText) else {
      throw HTTPRefusal(.badRequest, "The parameter type is no record type.")
    }
    let (reply, steps) = await shards[0].trace(WireQuery(name, type).bytes)
    let report = LookupReport(steps: steps, reply: reply)
    guard value("form") == "text" else { return Self.json(.ok, report.json) }
    return .text(report.text)
  }

  private static func figures(_ status: RepublishStatus) -> JSON {
    [
      "keys": JSON(status.keys), "due": JSON(status.due), "published": JSON(status.round.published),
      "already_alive": JSON(status.round.alreadyAlive), "superseded": JSON(status.round.superseded),
      "failed": JSON(status.round.failed), "thin": JSON(status.round.thin),
    ]
  }

  /// `POST /flush?name=NAME[&subtree=1]`, or a key in the place of the name.
  private func flush(_ request: HTTPRequest) async throws -> HTTPResponse {
    let parameters = request.target.parameters ?? []
    guard let text = parameters.first(where: { $0.name == "name" })?.value,
      let name = try? DomainName(text.lowercased())
    else { throw HTTPRefusal(.badRequest, "The parameter name is missing or no domain name.") }
    let subtree = parameters.contains { $0.name == "subtree" && ["1", "true", ""].contains($0.value) }
    let key = name.labels.reduce(0, { count, _ in count + 1 }) == 1 ? try? PublicKey(parsing: text.lowercased()) : nil
    var count = 0
    for shard in shards {
      count += await shard.loop.submit {
        (key.map { shard.resolver.flush($0) } ?? 0) + shard.resolver.flush(name, subtree: subtree)
      }
    }
    return Self.json(.ok, ["flushed": JSON(count)])
  }
}
