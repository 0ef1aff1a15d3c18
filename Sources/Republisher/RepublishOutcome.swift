import Pkarr

/// What became of one check of one key.
public enum RepublishOutcome: Hashable, Sendable {
  /// Too few nodes held the packet; it was put to those who did not.
  case published(CopyCount)
  /// Enough nodes hold the packet; nothing was sent.
  case alreadyAlive(CopyCount)
  /// The network holds a newer version, which is kept alive from now on.
  case superseded(CopyCount)
  /// Neither; the key is tried again.
  case failed(RepublishFailure)

  /// The outcome's stable name, for programs; of a failure that of its reason.
  public var name: String {
    switch self {
    case .published: "published"
    case .alreadyAlive: "already_alive"
    case .superseded: "superseded"
    case .failed(let failure): failure.name
    }
  }

  /// How many nodes hold the packet; nil if it failed.
  public var copies: CopyCount? {
    switch self {
    case .published(let copies), .alreadyAlive(let copies), .superseded(let copies): copies
    case .failed: nil
    }
  }
}

extension RepublishOutcome {
  /// True if an earlier outcome of the same round says more: what was put in a round and then found alive was put.
  func isOvershadowed(by earlier: RepublishOutcome?) -> Bool {
    guard case .alreadyAlive = self else { return false }
    switch earlier {
    case .published, .superseded: return true
    case .alreadyAlive, .failed, nil: return false
    }
  }
}

/// On how many of the nodes that it belongs to a packet is.
public struct CopyCount: Hashable, Sendable {
  /// Nodes that held it when they were asked.
  public var held: Int
  /// Nodes that have stored it since.
  public var added: Int
  /// Nodes that should hold it: the threshold of the policy, or all if there are fewer.
  public var wanted: Int

  /// Joins the counts.
  public init(held: Int, added: Int = 0, wanted: Int) {
    self.held = held
    self.added = added
    self.wanted = wanted
  }

  /// True if there are fewer copies than there should be, even now.
  public var isThin: Bool { held + added < wanted }
}

/// Why a key could not be kept alive this time.
public enum RepublishFailure: Error, Hashable, Sendable {
  /// No node of the DHT could be asked, or none answered: the network is away.
  case noNodes
  /// No node confirmed that it stored the packet.
  case notStored
  /// The nodes refused the packet with this error code (BEP 44).
  case refused(code: Int)
  /// The network has nothing under the key, and no packet of it is known here.
  case notFound
  /// The newest item under the key is no signed packet; nothing is put over it.
  case notAPacket
  /// The network holds another packet of the same version.
  case conflict
  /// The packet cannot be stored by the DHT: its signature does not fit, or its timestamp is out of range.
  case notPublishable
  /// The zone of a key file does not fit into a packet.
  case notSignable

  /// The reason's stable name, for programs.
  public var name: String {
    switch self {
    case .noNodes: "no_nodes"
    case .notStored: "not_stored"
    case .refused: "refused"
    case .notFound: "not_found"
    case .notAPacket: "not_a_packet"
    case .conflict: "conflict"
    case .notPublishable: "not_publishable"
    case .notSignable: "not_signable"
    }
  }

  /// The names of all reasons.
  public static let names = [
    "no_nodes", "not_stored", "refused", "not_found", "not_a_packet", "conflict", "not_publishable", "not_signable",
  ]

  /// True if trying again in this round cannot help.
  var isFinal: Bool {
    switch self {
    case .noNodes, .notStored, .refused, .conflict: false
    case .notFound, .notAPacket, .notPublishable, .notSignable: true
    }
  }
}

extension RepublishFailure: CustomStringConvertible {
  /// What happened, for a person.
  public var description: String {
    switch self {
    case .noNodes: "no DHT node answered"
    case .notStored: "no node confirmed that it stored the packet"
    case .refused(let code): "the nodes refused the packet with error \(code)"
    case .notFound: "nothing is published under the key"
    case .notAPacket: "the newest item under the key is no packet"
    case .conflict: "the network holds another packet of the same version"
    case .notPublishable: "the packet cannot be stored by the DHT"
    case .notSignable: "the zone does not fit into a packet"
    }
  }
}
