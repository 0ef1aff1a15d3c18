import Addresses
import EventLoops
import HTTP
import Logging
import Pkarr
import PkarrClient
import PlainText

/// Answers HTTP requests: a function from request to response, with limits, fields for browsers, routes and counts around
/// what ``PacketService`` does.
final class RelayHandler: Sendable {
  /// Where a request came in.
  enum Door: Hashable, Sendable {
    /// The relay's own address, for everybody.
    case front
    /// The address for those who run the relay.
    case admin
  }

  let service: PacketService
  let hub: WatchHub
  let log: ServiceLog
  /// Requests of each client.
  let requests: SharedRateLimiter
  private let lanes: [VerificationLane]
  private let status: @Sendable () async -> RelayStatus
  private let settings: LockedValue<Settings>
  /// Most keys in one batch.
  let batchLimit: Int

  /// What can be changed while the relay works.
  struct Settings: Sendable {
    /// Whether addresses of clients are needed at all: only if there are limits.
    var isLimited: Bool
    /// Whether addresses of clients are taken from header fields.
    var behindProxy: Bool
  }

  /// `lanes`: where signatures are checked, one for each loop that serves requests.
  init(
    _ service: PacketService, hub: WatchHub, log: ServiceLog, requests: SharedRateLimiter, lanes: [VerificationLane],
    settings: Settings, batchLimit: Int, status: @escaping @Sendable () async -> RelayStatus
  ) {
    self.service = service
    self.hub = hub
    self.log = log
    self.requests = requests
    self.lanes = lanes
    self.batchLimit = batchLimit
    self.status = status
    self.settings = LockedValue(settings)
  }

  /// Goes on with other settings.
  func change(to new: Settings) { settings.withLock { $0 = new } }

  /// The relay's own address. `servesAdmin`: whether `/health` and `/metrics` are there too.
  func frontDispatcher(servesAdmin: Bool) -> HTTPDispatcher {
    let routes = frontRoutes(servesAdmin: servesAdmin)
    return { request in self.reply(to: request, routes) }
  }

  /// The address for those who run the relay: without limits.
  var adminHandler: HTTPHandler {
    var router = HTTPRouter()
    addAdminRoutes(to: &router)
    let routes = router
    return { request in
      do {
        return try await routes.respond(to: request)
      } catch {
        return self.response(to: error)
      }
    }
  }

  // MARK: - Around the routes

  /// What is known of a request as it arrives.
  private struct Arrival: Sendable {
    let start = MonotonicClock.now
    var client: IPAddress?
    /// What the client may still ask, if it is limited.
    var limit: (burst: UInt32, remaining: UInt32)?
  }

  /// Answers at once what is refused or lies ready.
  private func reply(to request: HTTPRequest, _ routes: HTTPRouter) -> HTTPReply {
    let settings = settings.withLock { $0 }
    var arrival = Arrival()
    arrival.client = settings.isLimited ? address(of: request, settings) : nil
    if let refusal = admit(request, &arrival, settings) {
      return .response(finished(refusal, request, arrival))
    }
    if request.method == .options {
      return .response(finished(CORS.preflight(request.fields), request, arrival))
    }
    if let key = Self.plainKey(of: request) { return reply(to: request, for: key, arrival) }
    return handler(arrival) { try await routes.respond(to: $0) }
  }

  /// Answers for a key at once if its packet is at hand. `key` is not known to be one.
  private func reply(to request: HTTPRequest, for key: PublicKey, _ arrival: Arrival) -> HTTPReply {
    let form = PacketForm(preferredBy: request.fields)
    if form == .payload, let ready = readyAnswer(for: key) {
      let response = withOrigin(of: request, ready.response(to: request.fields))
      return .response(finished(response, request, arrival, from: .memory))
    }
    let holding = service.shelf.holding(of: key)
    if let found = service.found(holding) {
      let response = withOrigin(of: request, response(to: request, with: found, as: form))
      return .response(finished(response, request, arrival, from: found.source))
    }
    return handler(arrival) { request in
      try await self.get(request, Self.checked(key), .cacheFirst, holding: holding)
    }
  }

  private func handler(
    _ arrival: Arrival, _ body: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
  ) -> HTTPReply {
    .handler { request in
      self.finished(await self.answer(request, arrival.client, body), request, arrival)
    }
  }

  /// The response as it is sent, counted and logged.
  private func finished(
    _ response: HTTPResponse, _ request: HTTPRequest, _ arrival: Arrival, from source: RelayCounts.Source? = nil
  ) -> HTTPResponse {
    var response = response
    if let limit = arrival.limit {
      response.fields.append(.xRateLimitLimit, limit.burst)
      response.fields.append(.xRateLimitRemaining, limit.remaining)
    }
    let code = response.status.code
    service.counter.add { counts in
      counts.count(status: code)
      if let source { counts.count(source) }
    }
    if log.isDetailed { logRequest(request, arrival.client, code, since: arrival.start) }
    return response
  }

  private func answer(
    _ request: HTTPRequest, _ client: IPAddress?, _ body: (HTTPRequest) async throws -> HTTPResponse
  ) async -> HTTPResponse {
    var request = request
    request.context.clientAddress = client
    var response: HTTPResponse
    do {
      response = try await body(request)
    } catch {
      response = self.response(to: error)
    }
    // Packets bring these along.
    if !response.fields.contains(.accessControlAllowCredentials) {
      response.fields.append(contentsOf: CORS.fixedFields)
    }
    return withOrigin(of: request, response)
  }

  private func withOrigin(of request: HTTPRequest, _ response: HTTPResponse) -> HTTPResponse {
    var response = response
    CORS.appendOrigin(of: request.fields, to: &response.fields)
    return response
  }

  private func address(of request: HTTPRequest, _ settings: Settings) -> IPAddress? {
    ClientAddress.find(in: request.fields, peer: request.context.peer?.address, behindProxy: settings.behindProxy)
  }

  /// Notes what the client may still ask; why it is refused if it may ask nothing.
  private func admit(_ request: HTTPRequest, _ arrival: inout Arrival, _ settings: Settings) -> HTTPResponse? {
    guard let client = arrival.client else {
      guard settings.isLimited else { return nil }
      var response = HTTPResponse.text("Unable To Extract Key!", status: .internalServerError)
      response.fields.append(contentsOf: CORS.fields(for: request.fields))
      return response
    }
    guard let (decision, burst) = requests.admit(client, at: arrival.start) else { return nil }
    switch decision {
    case .allowed(let remaining):
      arrival.limit = (burst, remaining)
      return nil
    case .refused(let seconds):
      service.counter.add { $0.count(.requests) }
      var response = HTTPResponse.text("Too Many Requests! Wait for \(seconds)s", status: .tooManyRequests)
      response.fields.append(.retryAfter, seconds)
      response.fields.append(.xRateLimitAfter, seconds)
      response.fields.append(.xRateLimitLimit, burst)
      response.fields.append(.xRateLimitRemaining, 0)
      response.fields.append(contentsOf: CORS.fields(for: request.fields))
      return response
    }
  }

  private func response(to error: any Error) -> HTTPResponse {
    switch error {
    case let failure as RelayFailure:
      service.counter.add { $0.failures[failure.name, default: 0] &+= 1 }
      return failure.response
    case let refusal as HTTPRefusal: return refusal.response
    case let error as HTTPError: return error.response
    default:
      log.current.error("request.failed", ["error": .string("\(error)")])
      return .text("Internal error", status: .internalServerError)
    }
  }

  private func logRequest(_ request: HTTPRequest, _ client: IPAddress?, _ status: Int, since start: UInt64) {
    log.current.debug(
      "http.request",
      [
        "method": .string(request.method.text), "target": .string(request.target.description),
        "status": JSON(status), "client": client.map { .string($0.description) } ?? .null,
        "microseconds": JSON((MonotonicClock.now - start) / 1000),
      ])
  }

  // MARK: - What lies ready

  /// The key that a request asks for in the usual way, 52 characters and no query; nil if it asks for something else. The
  /// key is not checked to be one: if its packet is at hand, it is.
  private static func plainKey(of request: HTTPRequest) -> PublicKey? {
    let target = request.target
    guard target.path.utf8.count == PublicKey.textLength + 1, target.query == nil,
      request.method == .get || request.method == .head
    else { return nil }
    var path = target.path
    return path.withUTF8 { $0[0] == UInt8(ascii: "/") ? PublicKey(unchecked: .init(rebasing: $0[1...])) : nil }
  }

  /// The answer for a popular key; nil if nothing lies ready.
  private func readyAnswer(for key: PublicKey) -> RenderedPacket? {
    guard let (answer, mustTell) = service.shelf.ready.answer(for: key, at: .wallClock) else { return nil }
    if mustTell, !service.shelf.use(key) {
      service.shelf.ready.forget(key)
      return nil
    }
    service.keeper?.note(key)
    return answer
  }

  /// Where a request's signatures are checked.
  func lane(of request: HTTPRequest) -> VerificationLane? {
    lanes.first { $0.loop === request.context.eventLoop } ?? lanes.first
  }

  // MARK: - Routes for those who run the relay

  func addAdminRoutes(to router: inout HTTPRouter) {
    let status = status
    router.on(.get, "/health") { _, _ in RelayHealth.response(await status()) }
    router.on(.get, "/metrics") { _, _ in RelayMetrics.response(await status()) }
  }

  func addPages(to router: inout HTTPRouter) {
    let status = status
    router.on(.get, "/") { request, _ in
      if WebApp.isWanted(by: request.fields) { return WebApp.response(to: request) }
      var page = StatusPage.response(await status())
      WebApp.addChoice(to: &page.fields)
      return page
    }
    router.on(.get, "/status") { _, _ in StatusPage.response(await status()) }
  }
}
