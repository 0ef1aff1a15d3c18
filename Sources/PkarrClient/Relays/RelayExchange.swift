import HTTP
import Pkarr

/// Requests to relays and what their responses mean; sends nothing.
enum RelayExchange {
  /// Most bytes of a body that are read. The largest valid one has 32 fewer.
  static let maximumBodyLength = SignedPacket.maximumLength
  static let invalidSeqField: HTTPFieldName = "pkarr-invalid-signed-packet-seq"
  static let storedNodesField: HTTPFieldName = "pkarr-dht-stored-nodes"
  static let mementoField: HTTPFieldName = "memento-datetime"
  static let bypassingCaches = "no-cache, no-store, must-revalidate"
}

/// Fetching a key's packet from a relay.
struct RelayLookup: Hashable, Sendable {
  /// The key.
  var key: PublicKey
  /// Where the relay looks.
  var policy: ResolvePolicy
  /// Only a packet later than this one is of use.
  var newerThan: Timestamp?

  /// The request. `isRepetition`: caches on the way have spoilt the first answer.
  func request(to relay: RelayURL, isRepetition: Bool = false, timeout: Duration) -> RelayRequest {
    var fields = HTTPFields()
    if let date = newerThan?.httpDate { fields.append(.ifModifiedSince, date) }
    if policy == .networkOnly || isRepetition { fields.append(.cacheControl, RelayExchange.bypassingCaches) }
    return RelayRequest(
      .get, relay.address(of: key, parameter: "policy=\(policy)"), fields: fields, timeout: timeout,
      maximumBodyLength: RelayExchange.maximumBodyLength)
  }

  /// True if a cache on the way must be broken: it answers "not modified" though nobody asked, or a packet of no bytes.
  func isSpoilt(_ response: RelayResponse) -> Bool {
    if response.status == 304 { return newerThan?.httpDate == nil }
    return (200..<300).contains(response.status) && response.body.isEmpty
  }

  /// The packet that the response holds.
  func packet(in response: RelayResponse, at now: Timestamp) throws(RelayError) -> SignedPacket {
    switch response.status {
    case 200..<300: break
    case 304: throw .notFound
    case 404: throw try missing(response)
    default: throw RelayError(status: response.status)
    }
    guard max(response.declaredLength ?? 0, response.body.count) <= RelayExchange.maximumBodyLength else {
      throw .bodyTooLarge
    }
    let seen = response.fields[RelayExchange.mementoField].flatMap { Timestamp(httpDate: $0) }
    let packet: SignedPacket
    do throws(SignedPacketError) {
      packet = try SignedPacket(
        relayPayload: response.body, publicKey: key, lastSeen: seen.flatMap { $0 <= now ? $0 : nil } ?? now)
    } catch {
      throw .invalidSignedPacket(error)
    }
    if let newerThan, packet.timestamp <= newerThan { throw .notFound }
    return packet
  }

  /// What a 404 means: nothing, or a newer item that is no packet.
  private func missing(_ response: RelayResponse) throws(RelayError) -> RelayError {
    guard let text = response.fields[RelayExchange.invalidSeqField] else { return .notFound }
    guard let seq = Int64(text) else { throw .invalidSignedPacketSeqHeader }
    if let newerThan, seq >= 0, UInt64(seq) <= newerThan.microseconds { return .notFound }
    return .invalidSignedPacketSeq(seq)
  }
}

/// Publishing a packet through a relay.
struct RelayPublication: Hashable, Sendable {
  /// The packet.
  var packet: SignedPacket

  /// The request.
  func request(to relay: RelayURL, timeout: Duration) -> RelayRequest {
    RelayRequest(
      .put, relay.address(of: packet.publicKey), body: packet.relayPayload, timeout: timeout,
      maximumBodyLength: RelayExchange.maximumBodyLength)
  }

  /// How many nodes stored it. A relay that does not say counts as one.
  func storedNodes(in response: RelayResponse) throws(RelayError) -> Int {
    guard (200..<300).contains(response.status) else { throw RelayError(status: response.status) }
    guard let text = response.fields[RelayExchange.storedNodesField] else { return 1 }
    guard let count = UInt32(text) else { throw .invalidDHTStoredNodesHeader }
    return Int(count)
  }
}
