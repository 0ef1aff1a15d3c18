import Pkarr

/// Why a packet was not published.
public enum PublishError: Error, Hashable, Sendable {
  /// The DHT has no node to ask: it was never reached.
  case noDHTNodesQueried
  /// Nobody answered in time.
  case noResponses
  /// The DHT refused the packet with an error code of KRPC (BEP 5, BEP 44).
  case rejected(code: Int, description: String)
  /// The cache, the DHT or a relay holds a newer packet of the key.
  case notMostRecent
  /// Answers came, none of which says that the packet is stored.
  case unexpectedResponses
  /// The packet is none that the DHT can store; nothing was sent.
  case notPublishable(Flaw)
  /// The task was cancelled, or the client shut down.
  case cancelled

  /// What makes a packet unfit for the DHT.
  public enum Flaw: Hashable, Sendable {
    /// The timestamp is 0 or beyond 2⁶³ − 1.
    case timestamp(Timestamp)
    /// The signature does not fit, as can be with a packet that came out of a cache unchecked.
    case signature
  }

  /// The error's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .noDHTNodesQueried: "NoDhtNodesQueried"
    case .noResponses: "NoResponses"
    case .rejected: "Rejected"
    case .notMostRecent: "NotMostRecent"
    case .unexpectedResponses: "UnexpectedResponses"
    case .notPublishable: "NotPublishable"
    case .cancelled: "Cancelled"
    }
  }

  /// The more it says about the packet the higher; decides between errors that are equally frequent.
  var specificity: Int {
    switch self {
    case .cancelled: 0
    case .unexpectedResponses: 1
    case .noResponses: 2
    case .noDHTNodesQueried: 3
    case .rejected: 4
    case .notPublishable: 5
    case .notMostRecent: 6
    }
  }
}

extension PublishError: CustomStringConvertible {
  /// For a person, on three lines: what was wrong, where, what to do.
  public var description: String {
    switch self {
    case .noDHTNodesQueried:
      """
      the packet was not published: no DHT node could be asked
      The DHT has not been reached since the client started.
      Is this machine online? If a firewall blocks UDP, publish through a relay.
      """
    case .noResponses:
      """
      the packet was not published: nobody answered
      Neither a DHT node nor a relay confirmed it in time.
      Is this machine online? Try again; if a firewall blocks UDP, publish through a relay.
      """
    case .rejected(let code, let description):
      """
      the packet was refused: \(description)
      The nodes of the DHT answered with error \(code).
      \(code == 205 ? "Make the packet smaller." : "Build the packet anew, and try again later.")
      """
    case .notMostRecent:
      """
      the packet was not published: a newer one exists
      The cache, the DHT or a relay holds a packet of this key with a later timestamp.
      Resolve the key with NetworkOnly, and publish the complete records with a later timestamp.
      """
    case .unexpectedResponses:
      """
      the packet was not published: no answer says that it was stored
      The relays or DHT nodes that answered refused or answered something else.
      Look at the report of the attempt for what each of them said; try another relay.
      """
    case .notPublishable(.timestamp(let timestamp)):
      """
      the packet cannot be published: the DHT takes no timestamp \(timestamp.microseconds)
      A timestamp is a sequence number there, 1 to \(Int64.max).
      Sign the records anew with the present time.
      """
    case .notPublishable(.signature):
      """
      the packet cannot be published: its signature does not fit
      It was damaged after it was signed, perhaps in a cache.
      Sign the records anew, or resolve the key with NetworkOnly.
      """
    case .cancelled:
      """
      the packet was not published: the attempt was cancelled
      What was sent before cannot be taken back.
      Publish again to be sure.
      """
    }
  }
}
