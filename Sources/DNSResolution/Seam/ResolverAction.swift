import Addresses
import DNSWire
import Pkarr

/// A client's query that waits for its answer.
public struct PendingQueryID: Hashable, Sendable {
  let rawValue: UInt64
}

/// A search for a key's packet that the resolver waits for.
public struct LookupID: Hashable, Sendable {
  let rawValue: UInt64
}

/// A question to another DNS server that the resolver waits for.
public struct ForwardID: Hashable, Sendable {
  let rawValue: UInt64
}

/// What became of a query that was handed to ``DNSResolver/receive(_:from:now:wallClock:postponesWork:into:)``.
public enum QueryDisposition: Hashable, Sendable {
  /// The answer stands in the first so many bytes of the buffer: send it.
  case reply(byteCount: Int)
  /// Nobody gets an answer: no query at all, or one of a flood.
  case drop
  /// The answer comes later, as ``ResolverAction/answer(_:_:)``.
  case pending(PendingQueryID)
}

/// What the resolver wants done by those who have sockets.
///
/// Each ``lookUp(_:_:reason:)`` is ended by exactly one ``DNSResolver/finish(lookup:with:now:wallClock:)`` and each
/// ``forward(_:_:server:)`` by exactly one ``DNSResolver/finish(forward:with:now:wallClock:)``, however it went; what is
/// not ended within ``ResolutionPolicy/workLifetime`` counts as failed.
public enum ResolverAction: Sendable {
  /// Why a packet is looked for.
  public enum LookupReason: Hashable, Sendable {
    /// Nothing is known: somebody waits.
    case miss
    /// A packet is known but old: somebody may wait a little.
    case refresh
    /// A packet that is asked for often will soon be old: nobody waits.
    case prefetch
    /// The network was unreachable: is it back?
    case probe
  }

  /// Ask the DHT and the relays for the newest packet of a key.
  case lookUp(LookupID, PublicKey, reason: LookupReason)
  /// Ask a DNS server: those that are configured if `server` is nil, else exactly this one (a delegation out of a key's
  /// zone). Only a reply with the right id, address and question may come back.
  case forward(ForwardID, ForwardQuestion, server: Endpoint?)
  /// Send this message to the client whose query was ``QueryDisposition/pending(_:)``.
  case answer(PendingQueryID, [UInt8])
}

/// What another DNS server is to be asked. Id, port, the case of letters and the OPT record are the sender's business;
/// nothing of the client's own OPT record goes out but the DO bit.
public struct ForwardQuestion: Hashable, Sendable {
  /// The name, in lower case; never a key or a name below one unless a key's owner delegated it.
  public var name: DomainName
  /// The type.
  public var type: RecordType
  /// The class.
  public var `class`: RecordClass
  /// RD: true for configured servers, false for those of a delegation.
  public var recursionDesired: Bool
  /// CD of the client (RFC 4035 §3.2.2).
  public var checkingDisabled: Bool
  /// DO of the client (RFC 3225).
  public var wantsDNSSEC: Bool
}

// MARK: - What comes back

/// How the search for a key's packet ended.
public enum KeyLookupResult: Sendable {
  /// A packet whose signature was checked. The first valid one may be given at once; a newer one that comes later goes to
  /// ``DNSResolver/learn(_:from:now:wallClock:)``.
  case packet(SignedPacket, source: PacketSource)
  /// The search was complete, and nobody has a packet.
  case notFound(nodesAsked: Int, relaysAsked: Int)
  /// It cannot be told whether there is a packet.
  case failure(KeyLookupFailure)
}

/// Where a packet came from.
public enum PacketSource: Hashable, Sendable {
  /// The Mainline DHT.
  case dht
  /// A relay, by its URL.
  case relay(String)
  /// A packet kept from an earlier run.
  case disk
}

/// Why it cannot be told whether a key has a packet.
public enum KeyLookupFailure: Hashable, Sendable {
  /// The DHT node has not found its place yet; it knows so many nodes.
  case notReady(routingTableSize: Int)
  /// Nobody answered.
  case unreachable(nodesAsked: Int, relaysAsked: Int)
  /// Nothing could be sent; the class of the error in a few words (`network unreachable`).
  case network(String)
  /// Only packets with a wrong signature or malformed records came; what was wrong in a few words.
  case invalid(String)
  /// The search took too long.
  case timeout
  /// So much is under way that this was not begun.
  case overloaded
}

/// How a question to another DNS server ended.
public enum ForwardResult: Sendable {
  /// The reply. Its sender, id and question were checked; everything else is the resolver's business. A truncated one
  /// (TC=1) is given only if the question could not be asked over a stream.
  case reply([UInt8])
  /// There is none.
  case failure(ForwardFailure)
}

/// Why another DNS server did not answer.
public enum ForwardFailure: Hashable, Sendable {
  /// It was silent.
  case timeout
  /// Nothing could be sent, or the connection was refused; the class of the error in a few words.
  case unreachable(String)
  /// So much is under way that this was not begun.
  case overloaded
}
