import Pkarr

/// Why a relay did not do what it was asked for.
public enum RelayError: Error, Hashable, Sendable {
  /// No answer in time.
  case timeout
  /// No connection, or it broke; why, for a person.
  case request(String)
  /// 400: the relay does not understand the key, policy or packet.
  case badRequest
  /// 409, or 428 of relays before version 7: the relay knows of a newer packet.
  case notMostRecent
  /// 503: the relay itself cannot reach the DHT.
  case dhtUnavailable
  /// 404, or nothing newer than asked for.
  case notFound
  /// 404: the newest item, of this version, is no signed packet.
  case invalidSignedPacketSeq(Int64)
  /// The header `Pkarr-Invalid-Signed-Packet-Seq` does not hold a number.
  case invalidSignedPacketSeqHeader
  /// The header `Pkarr-Dht-Stored-Nodes` does not hold a number.
  case invalidDHTStoredNodesHeader
  /// Any other status.
  case unexpectedStatus(Int)
  /// The body is longer than any packet.
  case bodyTooLarge
  /// The body is no packet of the key.
  case invalidSignedPacket(SignedPacketError)
  /// The task was cancelled.
  case cancelled

  /// Reads a status that stands for a failure.
  init(status: Int) {
    self =
      switch status {
      case 400: .badRequest
      case 404: .notFound
      case 409, 428: .notMostRecent
      case 503: .dhtUnavailable
      default: .unexpectedStatus(status)
      }
  }

  /// The error's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .timeout: "Timeout"
    case .request: "Request"
    case .badRequest: "BadRequest"
    case .notMostRecent: "NotMostRecent"
    case .dhtUnavailable: "DhtUnavailable"
    case .notFound: "NotFound"
    case .invalidSignedPacketSeq: "InvalidSignedPacketSeq"
    case .invalidSignedPacketSeqHeader: "InvalidSignedPacketSeqHeader"
    case .invalidDHTStoredNodesHeader: "InvalidDhtStoredNodesHeader"
    case .unexpectedStatus: "UnexpectedStatus"
    case .bodyTooLarge: "BodyTooLarge"
    case .invalidSignedPacket: "InvalidSignedPacket"
    case .cancelled: "Cancelled"
    }
  }

  /// What the failure means for a publication.
  public var publishError: PublishError {
    switch self {
    case .timeout, .request, .dhtUnavailable: .noResponses
    case .notMostRecent: .notMostRecent
    case .cancelled: .cancelled
    default: .unexpectedResponses
    }
  }

  /// What the failure means for a resolution.
  public var resolveError: ResolveError {
    switch self {
    case .timeout, .request, .dhtUnavailable: .noResponses
    case .notFound: .notFound
    case .invalidSignedPacketSeq(let seq): .invalidSignedPacket(seq: seq)
    case .cancelled: .cancelled
    default: .unexpectedResponses
    }
  }
}

extension RelayError: CustomStringConvertible {
  /// One line for a person, to stand behind the address of the relay.
  public var description: String {
    switch self {
    case .timeout: "no answer in time"
    case .request(let reason): reason
    case .badRequest: "it does not understand the request (status 400)"
    case .notMostRecent: "it knows of a newer packet (status 409)"
    case .dhtUnavailable: "it cannot reach the DHT itself (status 503)"
    case .notFound: "it holds no such packet"
    case .invalidSignedPacketSeq(let seq): "the newest item, version \(seq), is not a signed packet"
    case .invalidSignedPacketSeqHeader: "its header Pkarr-Invalid-Signed-Packet-Seq holds no number"
    case .invalidDHTStoredNodesHeader: "its header Pkarr-Dht-Stored-Nodes holds no number"
    case .unexpectedStatus(429): "too many requests (status 429)"
    case .unexpectedStatus(let status): "unexpected status \(status)"
    case .bodyTooLarge: "its answer is longer than any packet"
    case .invalidSignedPacket(let error): "its answer is no packet of this key: \(error)"
    case .cancelled: "the request was cancelled"
    }
  }
}
