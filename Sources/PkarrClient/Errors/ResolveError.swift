/// Why a key was not resolved.
public enum ResolveError: Error, Hashable, Sendable {
  /// The DHT has no node to ask: it was never reached.
  case noDHTNodesQueried
  /// Nobody answered in time.
  case noResponses
  /// Nodes answered, none of them with something that can be used.
  case noUsableResponses
  /// Nobody holds an acceptable packet.
  case notFound
  /// The newest item of the key, of this version, is no signed packet. What is older is outdated: the key is in use.
  case invalidSignedPacket(seq: Int64)
  /// Answers came, none of which makes sense.
  case unexpectedResponses
  /// The task was cancelled, or the client shut down.
  case cancelled

  /// The error's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .noDHTNodesQueried: "NoDhtNodesQueried"
    case .noResponses: "NoResponses"
    case .noUsableResponses: "NoUsableResponses"
    case .notFound: "NotFound"
    case .invalidSignedPacket: "InvalidSignedPacket"
    case .unexpectedResponses: "UnexpectedResponses"
    case .cancelled: "Cancelled"
    }
  }

  /// True if the network could not be reached, so that nothing is known about the key.
  public var isUnreachable: Bool { self == .noResponses || self == .noDHTNodesQueried }

  /// The more it says about the key the higher; decides between errors that are equally frequent.
  var specificity: Int {
    switch self {
    case .cancelled: 0
    case .unexpectedResponses: 1
    case .noResponses: 2
    case .noDHTNodesQueried: 3
    case .noUsableResponses: 4
    case .notFound: 5
    case .invalidSignedPacket: 6
    }
  }
}

extension ResolveError: CustomStringConvertible {
  /// For a person, on three lines: what was wrong, where, what to do.
  public var description: String {
    switch self {
    case .noDHTNodesQueried:
      """
      the key was not resolved: no DHT node could be asked
      The DHT has not been reached since the client started.
      Is this machine online? If a firewall blocks UDP, resolve through a relay.
      """
    case .noResponses:
      """
      the key was not resolved: nobody answered
      Neither a DHT node nor a relay answered in time.
      Is this machine online? Try again; if a firewall blocks UDP, resolve through a relay.
      """
    case .noUsableResponses:
      """
      the key was not resolved: no answer can be used
      DHT nodes answered with errors or malformed messages only.
      Try again in a while, or resolve through a relay.
      """
    case .notFound:
      """
      no packet found
      Those who answered hold none for this key, or only one that has expired.
      Check the key. Packets vanish some hours after they were last published.
      """
    case .invalidSignedPacket(let seq):
      """
      the key's newest item is not a signed packet
      Version \(seq), found on the DHT or reported by a relay, does not hold valid DNS data.
      Its owner has to publish a valid packet; what is older is outdated.
      """
    case .unexpectedResponses:
      """
      the key was not resolved: no answer makes sense
      The relays that answered refused, or answered something else than a packet.
      Look at the report for what each of them said; try another relay.
      """
    case .cancelled:
      """
      the key was not resolved: the attempt was cancelled
      Nothing is known about what the network holds.
      Resolve again.
      """
    }
  }
}
