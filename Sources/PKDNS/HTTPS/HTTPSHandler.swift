import Addresses
import DNSResolution
import DNSWire
import EventLoops
import HTTP
import Pkarr
import PlainText
import WireFormat

/// DNS over HTTPS (RFC 8484), the same in JSON, packets of keys, and a page for people.
final class HTTPSHandler: Sendable {
  /// What can be changed while the server works.
  struct Settings: Sendable {
    var trustedProxies: [AddressPrefix] = []
    var suffixes: [DomainName] = []
    var servesProofs = true
  }

  /// What DNS messages are in HTTP.
  static let mediaType = "application/dns-message"
  private static let packetMediaType = "application/x-pkarr-signed-packet"
  /// Most bytes of a question.
  private static let bodyLimit = Int(UInt16.max)
  /// Most bytes of a body that is refused.
  static let discardedBodyLimit: UInt64 = 1 << 20

  private let paths: [String]
  private let shards: [ResolverShard]
  private let settings: LockedValue<Settings>
  private let servesJSON: Bool

  /// `shards`: one for each loop that serves requests. `paths`: where messages are taken, at least one; people are told the
  /// first.
  init(_ shards: [ResolverShard], paths: [String], servesJSON: Bool, settings: Settings) {
    self.shards = shards
    self.paths = paths
    self.servesJSON = servesJSON
    self.settings = LockedValue(settings)
  }

  /// Goes on with other settings.
  func change(to new: Settings) { settings.withLock { $0 = new } }

  /// The handler of all requests.
  var handler: HTTPHandler {
    var router = HTTPRouter()
    for path in paths {
      router.on(.get, path) { request, _ in try await self.get(request) }
      router.on(.post, path) { request, _ in
        do {
          return try await self.post(request)
        } catch {
          await Self.discardBody(request)
          throw error
        }
      }
    }
    if servesJSON { router.on(.get, "/resolve") { request, _ in try await self.json(request) } }
    router.on(.get, "/pkarr/{key}") { request, parameters in
      try await self.packet(request, parameters["key"] ?? "")
    }
    router.on(.get, "/apple.mobileconfig") { request, _ in AppleProfile.response(request, path: self.paths[0]) }
    router.on(.get, "/") { request, _ in LandingPage.response(request, path: self.paths[0]) }
    let routes = router.handler
    return { request in
      if request.method == .options { return Self.preflight(request) }
      var response = try await HTTPChain.response(to: request, routes)
      response.fields.append(.accessControlAllowOrigin, "*")
      return response
    }
  }

  private static func preflight(_ request: HTTPRequest) -> HTTPResponse {
    HTTPResponse(
      .noContent,
      fields: [
        .accessControlAllowOrigin: "*", .accessControlAllowMethods: "GET, POST",
        .accessControlAllowHeaders: request.fields[.accessControlRequestHeaders] ?? "*",
        .accessControlMaxAge: "86400",
      ])
  }

  // MARK: - DNS messages

  private func get(_ request: HTTPRequest) async throws -> HTTPResponse {
    if let query = Self.plainQuery(request.target) {
      try requireAcceptable(request)
      return try await answer(query, request)
    }
    guard let parameters = request.target.parameters else {
      throw HTTPRefusal(.badRequest, "The query of the address cannot be decoded.")
    }
    guard let text = parameters.first(where: { $0.name == "dns" })?.value else {
      if servesJSON, parameters.contains(where: { $0.name == "name" }) { return try await json(request) }
      if LandingPage.isWanted(by: request.fields) { return LandingPage.response(request, path: paths[0]) }
      throw HTTPRefusal(.badRequest, "A DNS message is expected in the parameter dns (RFC 8484).")
    }
    try requireAcceptable(request)
    guard text.utf8.count <= (Self.bodyLimit * 4 + 2) / 3 else { throw HTTPRefusal(.contentTooLarge, "Too long.") }
    // Some clients fill up with = although they should not (RFC 8484 §6).
    let digits = text.utf8.prefix { $0 != UInt8(ascii: "=") }
    guard let query = Base64.decodeURL(digits) else {
      throw HTTPRefusal(.badRequest, "The parameter dns is not in base64url.")
    }
    return try await answer(query, request)
  }

  /// The message of `?dns=…` alone, as nearly all clients write it; nil for anything else.
  private static func plainQuery(_ target: HTTPTarget) -> [UInt8]? {
    guard let query = target.query?.utf8, query.starts(with: "dns=".utf8) else { return nil }
    return Base64.decodeURL(query.dropFirst(4))
  }

  private func post(_ request: HTTPRequest) async throws -> HTTPResponse {
    let type = request.fields[.contentType]?.prefix { $0 != ";" && $0 != " " }.lowercased()
    guard type == Self.mediaType else {
      throw HTTPRefusal(.unsupportedMediaType, "A DNS message of type \(Self.mediaType) is expected.")
    }
    try requireAcceptable(request)
    return try await answer(try await request.body.collect(upTo: Self.bodyLimit), request)
  }

  /// Reads what a client still sends although its request is refused: some do not see an answer that comes before they are
  /// done (curl 7.88 over HTTP/2). Within the server's bound for bodies.
  private static func discardBody(_ request: HTTPRequest) async {
    while (try? await request.body.read()) != nil {}
  }

  private func requireAcceptable(_ request: HTTPRequest) throws {
    guard let accept = request.fields.joined(.accept), accept != Self.mediaType else { return }
    guard HTTPAccept.best(of: [Self.mediaType], accept: accept) != nil else {
      throw HTTPRefusal(.notAcceptable, "Answers are of type \(Self.mediaType).")
    }
  }

  private func answer(_ query: [UInt8], _ request: HTTPRequest) async throws -> HTTPResponse {
    guard let answer = await shard(request).answer(query, from: origin(request)) else {
      throw HTTPRefusal(.badRequest, "This is no DNS query.")
    }
    // FORMERR without a question: the message could not be read.
    if answer.count >= 12, answer[3] & 15 == 1, answer[4] == 0, answer[5] == 0 {
      throw HTTPRefusal(.badRequest, "This DNS message cannot be read.")
    }
    var fields = Self.answerFields
    fields.append(.cacheControl, Self.cacheControl(answer))
    return HTTPResponse(.ok, fields: fields, body: .bytes(answer))
  }

  /// What all answers have in common, made once.
  private static let answerFields: HTTPFields = [.contentType: mediaType]

  static func cacheControl(_ answer: [UInt8]) -> String {
    AnswerFreshness.seconds(answer).map { "max-age=\($0)" } ?? "no-store"
  }

  // MARK: - JSON

  private func json(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard let parameters = request.target.parameters else {
      throw HTTPRefusal(.badRequest, "The query of the address cannot be decoded.")
    }
    func value(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
    func isSet(_ name: String, default value: Bool) -> Bool {
      parameters.first { $0.name == name }.map { ["1", "true", ""].contains($0.value.lowercased()) } ?? value
    }
    guard let text = value("name"), let name = try? DomainName(text.isEmpty ? "." : text) else {
      throw HTTPRefusal(.badRequest, "The parameter name is missing or no domain name.")
    }
    let typeText = value("type") ?? "A"
    guard let type = UInt16(typeText).map(RecordType.init(rawValue:)) ?? RecordType(typeText) else {
      throw HTTPRefusal(.badRequest, "The parameter type is no record type.")
    }
    var query = WireQuery(name, type)
    query.checkingDisabled = isSet("cd", default: false)
    query.wantsSignatures = isSet("do", default: false)
    query.recursionDesired = isSet("rd", default: true)
    let shard = shard(request)
    guard let answer = await shard.answer(query.bytes, from: origin(request)) else {
      throw HTTPRefusal(.serviceUnavailable, "There is no answer.")
    }
    var provenance: (PublicKey, PacketProvenance)?
    if let key = key(in: name) {
      provenance = await shard.provenance(of: key).map { (key, $0) }
    }
    guard let object = AnswerJSON.object(answer, provenance: provenance) else {
      throw HTTPRefusal(.badGateway, "The name server's answer cannot be read.")
    }
    let mediaType =
      HTTPAccept.best(of: [AnswerJSON.mediaType, "application/json"], accept: request.fields.joined(.accept))
      ?? AnswerJSON.mediaType
    return HTTPResponse(
      .ok, fields: [.contentType: mediaType, .cacheControl: Self.cacheControl(answer)],
      body: .bytes(Array(object.description.utf8)))
  }

  /// The key whose name this is, or is below.
  private func key(in name: DomainName) -> PublicKey? {
    let lower =
      (try? DomainName(labels: name.labels.map { $0.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 } })) ?? name
    for suffix in settings.withLock({ $0.suffixes }) + [.root] {
      guard let rest = lower.removingSuffix(suffix), let label = Array(rest.labels).last else { continue }
      if label.count == PublicKey.textLength, let key = try? PublicKey(parsing: String(decoding: label, as: UTF8.self))
      {
        return key
      }
    }
    return nil
  }

  // MARK: - Packets

  /// `GET /pkarr/KEY`: the packet as relays give it, for those who check the signature themselves.
  private func packet(_ request: HTTPRequest, _ text: String) async throws -> HTTPResponse {
    guard settings.withLock({ $0.servesProofs }) else { return HTTPResponse(.notFound) }
    guard let key = try? PublicKey(parsing: text) else {
      throw HTTPRefusal(.badRequest, "This is no public key.")
    }
    let name = try DomainName("_pkarr.\(key.z32)")
    guard let answer = await shard(request).answer(WireQuery(name, .txt).bytes, from: origin(request)) else {
      throw HTTPRefusal(.serviceUnavailable, "There is no answer.")
    }
    let errors = AnswerJSON.extendedErrors(answer).map(\.text).joined(separator: "; ")
    switch answer[3] & 15 {
    case 0: break
    case 3: throw HTTPRefusal(.notFound, "Nobody has a packet of this key. \(errors)")
    case 5: throw HTTPRefusal(.tooManyRequests, "Refused. \(errors)")
    default: throw HTTPRefusal(.badGateway, "The key could not be resolved. \(errors)")
    }
    guard let packet = Self.proof(in: answer), packet.publicKey == key else {
      throw HTTPRefusal(.notFound, "There is no packet of this key.")
    }
    var fields: HTTPFields = [.contentType: Self.packetMediaType, .cacheControl: Self.cacheControl(answer)]
    if let date = packet.timestamp.httpDate { fields.append(.lastModified, date) }
    return HTTPResponse(.ok, fields: fields, body: .bytes(packet.relayPayload))
  }

  /// The packet in the first TXT record of an answer, its signature checked.
  private static func proof(in answer: [UInt8]) -> SignedPacket? {
    guard let readable = AnswerFreshness.readable(answer), let message = try? Message(parsing: readable) else {
      return nil
    }
    for record in message.answers {
      guard case .txt(let text) = record.data, let bytes = Base64.decode(Array(text.strings.joined())) else { continue }
      return try? SignedPacket(bytes)
    }
    return nil
  }

  // MARK: - Who asks, and where it is answered

  private func shard(_ request: HTTPRequest) -> ResolverShard {
    guard let loop = request.context.eventLoop else { return shards[0] }
    return shards.first { $0.loop === loop } ?? shards[0]
  }

  private func origin(_ request: HTTPRequest) -> QueryOrigin {
    let peer = request.context.peer ?? Endpoint(.loopbackV4, port: 0)
    let address = ForwardedClient.address(
      request.fields, peer: peer.address, trusted: settings.withLock { $0.trustedProxies })
    return QueryOrigin(Endpoint(address, port: address == peer.address ? peer.port : 0), .https)
  }
}
