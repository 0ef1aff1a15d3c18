import Cryptography
import HTTP
import Pkarr
import PlainText
import WireFormat

/// A packet as it is sent, made once and sent any number of times. A reference, since it goes from hand to hand.
final class RenderedPacket: Sendable {
  /// Whose it is.
  let key: PublicKey
  /// All fields that do not depend on the request, those for browsers included.
  let fields: HTTPFields
  /// The bytes.
  let body: [UInt8]
  /// The strong entity tag.
  let tag: HTTPEntityTag
  /// The packet's version.
  let timestamp: Timestamp
  /// When the packet was last seen on the network.
  let lastSeen: Timestamp
  /// When the packet stops being fresh.
  let expiry: Timestamp

  /// Renders a packet in a form; `policy` bounds its time to live.
  init(_ packet: SignedPacket, as form: PacketForm = .payload, policy: CachePolicy) {
    let ttl = packet.ttl(policy)
    key = packet.publicKey
    timestamp = packet.timestamp
    lastSeen = packet.lastSeen
    // With a time to live of 0 nothing is fresh, not even what was seen in the future.
    expiry = ttl.seconds == 0 ? .zero : lastSeen.adding(seconds: UInt64(ttl.seconds))
    tag = Self.tag(packet, form)
    body =
      switch form {
      case .payload: packet.relayPayload
      case .json: Array("\(JSON.object(packet.jsonFields(policy)))\n".utf8)
      case .zone: Array(packet.zoneText.utf8)
      }
    var fields: HTTPFields = [.contentType: form.contentType, .cacheControl: "public, max-age=\(ttl)"]
    // There is no date beyond the year 9999.
    if let date = timestamp.httpDate { fields.append(.lastModified, date) }
    if let date = lastSeen.httpDate { fields.append(.mementoDatetime, date) }
    fields.append(.etag, tag.description)
    fields.append(contentsOf: CORS.fixedFields)
    if form != .payload { fields.set(.vary, CORS.vary + ", accept") }
    self.fields = fields
  }

  /// True while the packet may be used without asking the network.
  func isFresh(at now: Timestamp) -> Bool { now < expiry }

  /// True if `other`, a payload as this one, is for a newer version of the packet, or for the same one seen later.
  func isReplaced(by other: RenderedPacket) -> Bool {
    if timestamp != other.timestamp { return timestamp < other.timestamp }
    // Signature and timestamp stand in front of the DNS packet.
    let (own, others) = (body.dropFirst(72), other.body.dropFirst(72))
    return own.elementsEqual(others) ? lastSeen < other.lastSeen : own.lexicographicallyPrecedes(others)
  }

  /// The answer to a request with these fields: 304 if it names this version, else 200.
  func response(to request: HTTPFields) -> HTTPResponse {
    HTTPResponse(isKnown(to: request) ? .notModified : .ok, fields: fields, body: .bytes(body))
  }

  /// True if the client has this version or a newer one already (RFC 9110 §13.2.2).
  ///
  /// Dates are compared in microseconds with the packet's timestamp, so a packet with a fraction of a second is newer than
  /// its own `last-modified`: an update within the same second is never hidden.
  func isKnown(to request: HTTPFields) -> Bool {
    guard request.contains(.ifNoneMatch) || request.contains(.ifModifiedSince) else { return false }
    var request = request
    // Relays have never heeded these, and clients of old ones may send them.
    request.remove(.ifMatch)
    request.remove(.ifUnmodifiedSince)
    let (seconds, fraction) = timestamp.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    let nextSecond = HTTPDate(secondsSince1970: seconds + (fraction > 0 ? 1 : 0))
    return HTTPPreconditions.evaluate(method: .get, fields: request, etag: tag, lastModified: nextSecond)
      == .notModified
  }

  private static func tag(_ packet: SignedPacket, _ form: PacketForm) -> HTTPEntityTag {
    let digest = SHA1.hash(packet.bytes)
    let text = Base32.z.encode(packet.timestamp.bytes + digest.bytes.prefix(8)) + form.tagSuffix
    guard let tag = HTTPEntityTag(text) else { preconditionFailure("letters make a tag") }
    return tag
  }
}
