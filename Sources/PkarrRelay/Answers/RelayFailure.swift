import HTTP
import Pkarr

/// Why a request gets no packet, or its packet is not published.
///
/// Clients look at the status and at two fields; the texts are for people.
enum RelayFailure: Error, Hashable, Sendable {
  /// The path is no key.
  case invalidKey(PublicKeyError)
  /// A query parameter cannot be read; which, and why.
  case invalidQuery(String)
  /// A body is longer than a packet can be.
  case tooLarge
  /// The body could not be read; why.
  case unreadableBody(String)
  /// The body stood still for too long.
  case bodyTimedOut
  /// The body is no packet of this key.
  case invalidPacket(SignedPacketError)
  /// The timestamp is none that the DHT can hold.
  case notPublishable(NotPublishable)
  /// The cache or the DHT holds a newer packet, or another one is being published.
  case notMostRecent
  /// The client has used up its quota of DHT operations.
  case tooManyOperations
  /// More is waiting than can be worked off soon.
  case busy
  /// Nobody has anything acceptable.
  case notFound
  /// The newest item of the key is signed, but no packet.
  case invalidSignedPacket(seq: Int64)
  /// A lookup had nobody to ask.
  case noNodesQueried
  /// Nobody answered a lookup.
  case noNodesResponded
  /// Those who answered a lookup said nothing of use.
  case noUsableResponses
  /// Nobody confirmed a publication in time.
  case publicationTimedOut
  /// A publication had nobody to go to.
  case noClosestNodes
  /// A publication was refused.
  case rejected(code: Int, description: String)
  /// The packet is in the DHT, but the relay could not keep it; why.
  case notKept(String)
  /// The client has gone away, or the relay ends.
  case cancelled
}

extension RelayFailure: CustomStringConvertible {
  /// What is wrong, for a person; empty where the status says it all.
  var description: String {
    switch self {
    case .invalidKey(let error): "Invalid URL: \(error)"
    case .invalidQuery(let why): "Failed to deserialize query string: \(why)"
    case .tooLarge:
      "Failed to buffer the request body: length limit exceeded; a packet has at most "
        + "\(SignedPacket.maximumRelayPayloadLength) bytes"
    case .unreadableBody(let why): "Failed to buffer the request body: \(why)"
    case .bodyTimedOut: "Failed to buffer the request body: it took too long"
    case .invalidPacket(let error): "\(error)"
    case .notPublishable(let error): "\(error)"
    case .notMostRecent: "packet is not the most recent"
    case .tooManyOperations: "Too many requests to DHT nodes"
    case .busy: "The relay is busy; try again later"
    case .notFound: ""
    case .invalidSignedPacket(let seq): "DHT mutable item at seq \(seq) is not a valid signed packet"
    case .noNodesQueried: "No DHT nodes were queried"
    case .noNodesResponded: "No queried DHT nodes responded"
    case .noUsableResponses: "No responded DHT nodes returned usable response"
    case .publicationTimedOut: "DHT query timed out"
    case .noClosestNodes: "DHT query found no closest nodes"
    case .rejected(let code, let description): "DHT query returned error response code: \(code) \(description)"
    case .notKept(let why): "The packet was published, but the relay could not keep it: \(why)"
    case .cancelled: "The request was cancelled"
    }
  }

  /// A stable word for logs, metrics and answers in JSON.
  var name: String {
    switch self {
    case .invalidKey: "invalid_key"
    case .invalidQuery: "invalid_query"
    case .tooLarge: "too_large"
    case .unreadableBody: "unreadable_body"
    case .bodyTimedOut: "body_timed_out"
    case .invalidPacket: "invalid_packet"
    case .notPublishable: "not_publishable"
    case .notMostRecent: "not_most_recent"
    case .tooManyOperations: "too_many_operations"
    case .busy: "busy"
    case .notFound: "not_found"
    case .invalidSignedPacket: "invalid_signed_packet"
    case .noNodesQueried: "no_nodes_queried"
    case .noNodesResponded: "no_nodes_responded"
    case .noUsableResponses: "no_usable_responses"
    case .publicationTimedOut: "timeout"
    case .noClosestNodes: "no_closest_nodes"
    case .rejected: "rejected"
    case .notKept: "not_kept"
    case .cancelled: "cancelled"
    }
  }

  /// The status of the answer. What the DHT fails to do is 503 for a lookup and 500 for a publication.
  var status: HTTPStatus {
    switch self {
    case .invalidKey, .invalidQuery, .unreadableBody, .invalidPacket, .notPublishable: .badRequest
    case .tooLarge: .contentTooLarge
    case .bodyTimedOut: .requestTimeout
    case .notMostRecent: .conflict
    case .tooManyOperations: .tooManyRequests
    case .notFound, .invalidSignedPacket: .notFound
    case .busy, .cancelled, .noNodesQueried, .noNodesResponded, .noUsableResponses: .serviceUnavailable
    case .publicationTimedOut, .noClosestNodes, .rejected, .notKept: .internalServerError
    }
  }

  /// The answer, without fields for browsers.
  var response: HTTPResponse {
    let text = description
    var response = text.isEmpty ? HTTPResponse(status) : .text(text, status: status)
    switch self {
    case .invalidSignedPacket(let seq): response.fields.append(.invalidSignedPacketSeq, seq)
    case .busy: response.fields.append(.retryAfter, 1)
    default: break
    }
    return response
  }
}
