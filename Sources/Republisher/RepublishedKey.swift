import Pkarr

/// A key that is to be kept alive, as a source knows it.
public struct RepublishedKey: Sendable {
  /// The key.
  public var key: PublicKey
  /// A packet of it; nil: the newest one on the network is what is kept alive.
  public var packet: SignedPacket?
  /// True if the packet's signature was checked already; otherwise its first check does so.
  public var isVerified = false
  /// Who may sign for it; nil: packets stay as they are.
  public var owner: Owner?

  /// Signs for a key.
  public struct Owner: Sendable {
    /// The secret key.
    public var keypair: Keypair
    /// The records that are to be published; nil: those that are.
    public var zone: Zone?
    /// True: each round signs them anew with the time of the check, so that all nodes store them again. Otherwise a packet
    /// is put again as it is.
    public var signsAnew: Bool

    /// Joins the parts.
    public init(_ keypair: Keypair, zone: Zone? = nil, signsAnew: Bool = false) {
      self.keypair = keypair
      self.zone = zone
      self.signsAnew = signsAnew
    }
  }

  /// The records of a zone file.
  public struct Zone: Hashable, Sendable {
    /// The records.
    public var records: [ResourceRecord]
    /// Twenty bytes that change with the text of the file.
    public var digest: [UInt8]

    /// Joins the parts.
    public init(records: [ResourceRecord], digest: [UInt8]) {
      self.records = records
      self.digest = digest
    }
  }

  /// A key whose newest packet on the network is kept alive.
  public init(_ key: PublicKey) { self.key = key }

  /// A packet of somebody's key, which is kept alive until there is a newer one.
  ///
  /// - Parameter isVerified: True if its signature was checked, as it is with all packets but those of a cache.
  public init(_ packet: SignedPacket, isVerified: Bool = false) {
    key = packet.publicKey
    self.packet = packet
    self.isVerified = isVerified
  }

  /// A key of one's own.
  public init(_ owner: Owner) {
    key = owner.keypair.publicKey
    self.owner = owner
  }
}

/// What a republisher holds for a key while it runs.
struct RepublishedEntry: Sendable {
  /// The newest version that is known.
  var packet: SignedPacket?
  /// True if a source has that packet, so that it need not be remembered.
  var isFromSource = false
  /// True once its signature was checked in this process.
  var isVerified = false
  var owner: RepublishedKey.Owner?
  /// The zone that was last signed.
  var zoneDigest: [UInt8]?
  /// When it was last checked.
  var checked = Timestamp.zero
  /// True if it is to be forgotten once its check has ended.
  var isLeaving = false

  /// The zone that is to be signed because it is not what was signed last.
  var newZone: RepublishedKey.Zone? {
    guard let zone = owner?.zone, zone.digest != zoneDigest else { return nil }
    return zone
  }

  /// Takes what a source says, in addition to what is known already.
  mutating func merge(_ source: RepublishedKey) {
    if let owner = source.owner { self.owner = owner }
    guard let offered = source.packet else { return }
    if let packet, !offered.isMoreRecent(than: packet) {
      if offered.isSame(as: packet) { isFromSource = true }
      return
    }
    packet = offered
    isFromSource = true
    isVerified = source.isVerified
  }
}
