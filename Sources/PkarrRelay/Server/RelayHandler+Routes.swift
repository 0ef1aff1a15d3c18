import Addresses
import EventLoops
import HTTP
import Pkarr
import PkarrClient
import PlainText

extension RelayHandler {
  func frontRoutes(servesAdmin: Bool) -> HTTPRouter {
    var router = HTTPRouter()
    addPages(to: &router)
    if servesAdmin { addAdminRoutes(to: &router) }
    if batchLimit > 0 { router.on(.post, "/resolve") { request, _ in try await self.resolveBatch(request) } }
    router.on(.get, "/{key}") { request, parameters in try await self.get(request, parameters["key"] ?? "") }
    router.on(.put, "/{key}") { request, parameters in try await self.put(request, parameters["key"] ?? "") }
    router.on(.get, "/{key}/events") { request, parameters in
      try await self.events(request, parameters["key"] ?? "")
    }
    router.notFound = { request in
      // A key whose escapes are broken is a key all the same, though none that can be read.
      let isOneSegment = request.target.path.utf8.dropFirst().allSatisfy { $0 != UInt8(ascii: "/") }
      if isOneSegment, request.method == .get || request.method == .head || request.method == .put {
        throw RelayFailure.invalidKey(.invalidEncoding)
      }
      return HTTPResponse(.notFound)
    }
    return router
  }

  static func key(_ text: String) throws(RelayFailure) -> PublicKey {
    do throws(PublicKeyError) {
      return try PublicKey(parsing: text)
    } catch {
      throw .invalidKey(error)
    }
  }

  /// A key of which only the bytes were known, if it is one.
  static func checked(_ key: PublicKey) throws(RelayFailure) -> PublicKey {
    do throws(PublicKeyError) {
      return try PublicKey(key.bytes)
    } catch {
      throw .invalidKey(error)
    }
  }

  private static func keyBytes(_ text: String) throws(RelayFailure) -> [UInt8] {
    do throws(PublicKeyError) {
      return try PublicKey.bytes(parsing: text)
    } catch {
      throw .invalidKey(error)
    }
  }

  // MARK: - One packet

  private func get(_ request: HTTPRequest, _ text: String) async throws -> HTTPResponse {
    try await get(request, Self.key(text), ResolvePolicy(query: request.target.query))
  }

  /// `holding`: what the cache has just been asked, if it has.
  func get(
    _ request: HTTPRequest, _ key: PublicKey, _ policy: ResolvePolicy, holding: PacketShelf.Holding? = nil
  ) async throws -> HTTPResponse {
    let found = try await service.resolve(key, policy, for: request.context.clientAddress, holding: holding)
    service.counter.add { $0.count(found.source) }
    return response(to: request, with: found, as: PacketForm(preferredBy: request.fields))
  }

  /// The packet in a form; kept ready if that is the usual one.
  func response(to request: HTTPRequest, with found: PacketService.Found, as form: PacketForm) -> HTTPResponse {
    let answer = RenderedPacket(found.packet, as: form, policy: service.policy)
    if form == .payload, let version = found.version { service.shelf.ready.keep(answer, for: answer.key, at: version) }
    return answer.response(to: request.fields)
  }

  private func put(_ request: HTTPRequest, _ text: String) async throws -> HTTPResponse {
    // Whether it is a key shows with the signature.
    let key = try Self.keyBytes(text)
    let payload = try await payload(of: request)
    // Fair to addresses, whether or not they are limited.
    let client = request.context.clientAddress ?? request.context.peer?.address
    let lane = lane(of: request)
    let packet =
      if let lane {
        try await lane.verify(payload, key: key, from: client)
      } else {
        try VerificationLane.verify(payload, key: key)
      }
    lane?.underWay.add(1, ordering: .relaxed)
    defer { lane?.underWay.subtract(1, ordering: .relaxed) }
    let stored = try await service.publish(packet, for: request.context.clientAddress)
    log.current.info("packet.published", ["key": .string(packet.publicKey.z32), "nodes": JSON(stored)])
    return HTTPResponse(.noContent, fields: [.dhtStoredNodes: String(stored)])
  }

  private func payload(of request: HTTPRequest) async throws(RelayFailure) -> [UInt8] {
    do throws(HTTPError) {
      return try await request.body.collect(upTo: SignedPacket.maximumRelayPayloadLength)
    } catch {
      switch error {
      case .tooLarge: throw .tooLarge
      case .timedOut: throw .bodyTimedOut
      default: throw .unreadableBody("\(error)")
      }
    }
  }

  // MARK: - Many packets

  /// How many keys of one batch are looked up at the same time.
  private static let batchWidth = 16

  /// Room for each key as a URI, with what JSON needs around it.
  static func batchBodyLimit(_ keys: Int) -> Int { 1024 + keys * 256 }

  /// `POST /resolve`: an object a line for each key, in the order in which they are found.
  private func resolveBatch(_ request: HTTPRequest) async throws -> HTTPResponse {
    let policy = try ResolvePolicy(query: request.target.query)
    let body = try await request.body.collect(upTo: Self.batchBodyLimit(batchLimit))
    let texts: [String]
    do throws(KeyList.Flaw) {
      texts = try KeyList.read(body, limit: batchLimit)
    } catch {
      throw HTTPRefusal(error == .malformed ? .badRequest : .contentTooLarge, "\(error)")
    }
    let client = request.context.clientAddress
    let service = service
    return HTTPResponse(
      .ok, fields: [.contentType: "application/x-ndjson", .cacheControl: "no-store"],
      body: .stream { writer in
        try await withThrowingTaskGroup(of: String.self) { group in
          var rest = texts[...]
          func begin() {
            guard let text = rest.popFirst() else { return }
            group.addTask {
              let line = await Self.line(text, policy, client, service)
              return "\(JSON.object(line))\n"
            }
          }
          for _ in 0..<Self.batchWidth { begin() }
          while let line = try await group.next() {
            try await writer.write(line)
            begin()
          }
        }
      })
  }

  /// What is said of one key of a batch: the packet, or why there is none.
  private static func line(
    _ text: String, _ policy: ResolvePolicy, _ client: IPAddress?, _ service: PacketService
  ) async -> [JSON.Field] {
    do throws(RelayFailure) {
      let found = try await service.resolve(key(text), policy, for: client)
      service.counter.add { $0.count(found.source) }
      return found.packet.jsonFields(service.policy) + [seen(found.packet)]
    } catch {
      service.counter.add { $0.failures[error.name, default: 0] &+= 1 }
      var fields: [JSON.Field] = [.init("key", .string(text)), .init("error", .string(error.name))]
      if !error.description.isEmpty { fields.append(.init("message", .string(error.description))) }
      if case .invalidSignedPacket(let seq) = error { fields.append(.init("seq", JSON(seq))) }
      return fields
    }
  }

  static func seen(_ packet: SignedPacket) -> JSON.Field {
    .init("last_seen", JSON(packet.lastSeen.microseconds))
  }

  // MARK: - Following a key

  /// `GET /{key}/events`: the packet of a key, and each newer one as the relay learns of it.
  private func events(_ request: HTTPRequest, _ text: String) async throws -> HTTPResponse {
    let key = try Self.key(text)
    let client = request.context.clientAddress ?? request.context.peer?.address
    guard hub.hasRoom(for: client) else {
      throw HTTPRefusal(.serviceUnavailable, "Too many clients follow keys already")
    }
    var first: SignedPacket?
    do throws(RelayFailure) {
      first = try await service.resolve(key, .cacheFirst, for: request.context.clientAddress).packet
    } catch {
      // Who follows a key wants to know when there is something; what there is not, is no error.
      switch error {
      case .notFound, .invalidSignedPacket: break
      default: throw error
      }
    }
    let feed = PacketFeed(
      of: key, for: client, first, hub: hub, service: service, known: request.fields["last-event-id"])
    return ServerSentEvents.response { events in
      guard let opening = feed.begin() else { return }
      defer { feed.end() }
      var hasRoom = events.writeAtOnce(opening)
      while true {
        if !hasRoom { try await events.waitForRoom() }
        guard await feed.follower?.listen() == true else { return }
        hasRoom = events.writeAtOnce(feed.next())
      }
    }
  }
}
