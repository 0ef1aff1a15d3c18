import Addresses
import Cryptography

/// Collects records and signs them: a value that can be kept, copied and signed again.
///
/// Calls append in order, and nothing is checked until ``sign(with:)``:
///
///     let packet = try SignedPacketBuilder()
///       .txt("_hello", "world", ttl: .minutes(5))
///       .a("www", "203.0.113.7", ttl: .hours(1))
///       .sign(with: keypair)
///
/// Owner names are relative to the key (`www`, `@` or `.` for the apex) or end in it; names inside of data (targets) are
/// absolute as given. A packet is the whole zone: what is left out is gone once it is published.
public struct SignedPacketBuilder: Hashable, Sendable {
  /// The records so far, in the order of the packet.
  public private(set) var drafts: [RecordDraft] = []
  /// The timestamp to sign; nil takes the moment of signing.
  public var timestamp: Timestamp?
  /// True if owner names may hold any bytes, not only those of host names, `_` and `*`.
  public var allowsAnyName = false

  /// Starts without records, which is a legal packet.
  public init() {}

  /// Appends a record.
  public mutating func append(_ record: some PacketRecord) { drafts.append(record.draft) }

  /// Appends records that were parsed or copied from another packet.
  public mutating func append(contentsOf records: some Sequence<ResourceRecord>) {
    for record in records { append(record) }
  }

  /// Appends what a list of records spells.
  mutating func append(contentsOf drafts: [RecordDraft]) { self.drafts += drafts }
}

// MARK: - Calls that can be chained

extension SignedPacketBuilder {
  /// With a record, its class and time to live as given.
  public func record(_ record: ResourceRecord) -> Self { adding(record) }

  /// With a record of class `IN`.
  public func rdata(_ name: String, _ data: RecordData, ttl: TimeToLive) -> Self {
    adding(Record(name, data, ttl: ttl))
  }

  /// With an IPv4 address.
  public func a(_ name: String, _ address: String, ttl: TimeToLive) -> Self { adding(A(name, address, ttl: ttl)) }

  /// With an IPv6 address.
  public func aaaa(_ name: String, _ address: String, ttl: TimeToLive) -> Self { adding(AAAA(name, address, ttl: ttl)) }

  /// With an address of either family, as A or AAAA record.
  public func address(_ name: String, _ address: IPAddress, ttl: TimeToLive) -> Self {
    rdata(name, .address(address), ttl: ttl)
  }

  /// With an alias.
  public func cname(_ name: String, _ target: String, ttl: TimeToLive) -> Self {
    adding(CNAME(name, target, ttl: ttl))
  }

  /// With a text, cut into strings of 254 bytes.
  public func txt(_ name: String, _ text: String, ttl: TimeToLive) -> Self { adding(TXT(name, text, ttl: ttl)) }

  /// With a text of explicit strings, each at most 255 bytes.
  public func txt(_ name: String, strings: [String], ttl: TimeToLive) -> Self {
    adding(TXT(name, strings: strings, ttl: ttl))
  }

  /// With a service binding for HTTPS.
  public func https(_ name: String, _ binding: ServiceBinding, ttl: TimeToLive) -> Self {
    rdata(name, .https(binding), ttl: ttl)
  }

  /// With a service binding.
  public func svcb(_ name: String, _ binding: ServiceBinding, ttl: TimeToLive) -> Self {
    rdata(name, .svcb(binding), ttl: ttl)
  }

  /// With this timestamp instead of the moment of signing.
  public func timestamp(_ timestamp: Timestamp) -> Self {
    var copy = self
    copy.timestamp = timestamp
    return copy
  }

  /// With owner names of any bytes, if only their lengths are right.
  public func allowingAnyName() -> Self {
    var copy = self
    copy.allowsAnyName = true
    return copy
  }

  private func adding(_ record: some PacketRecord) -> Self {
    var copy = self
    copy.append(record)
    return copy
  }
}

// MARK: - Signing

extension SignedPacketBuilder {
  /// The packet of the records so far, signed and seen now.
  ///
  /// - Throws: `SignedPacketBuildError`: the first record that cannot be written, or the size.
  public func sign(with keypair: Keypair) throws(SignedPacketBuildError) -> SignedPacket {
    let publicKey = keypair.publicKey
    let message = try encodedMessage(for: publicKey)
    let timestamp = timestamp ?? .now()
    let signable = SignedPacket.signableBytes(timestamp: timestamp, message: message.span.bytes)
    let signature = keypair.signature(for: signable.span.bytes)
    return SignedPacket(
      checked: publicKey.bytes + signature.bytes + timestamp.bytes + message, publicKey: publicKey,
      lastSeen: .wallClock)
  }

  /// The same as ``sign(with:)``.
  public func build(with keypair: Keypair) throws(SignedPacketBuildError) -> SignedPacket { try sign(with: keypair) }

  /// The DNS packet that ``sign(with:)`` would sign for a key, at most 1000 bytes.
  ///
  /// - Throws: `SignedPacketBuildError`.
  public func encodedMessage(for publicKey: PublicKey) throws(SignedPacketBuildError) -> [UInt8] {
    let apex = publicKey.domainName
    var answers: [ResourceRecord] = []
    answers.reserveCapacity(drafts.count)
    for draft in drafts {
      answers.append(try draft.record(below: apex, allowsAnyName: allowsAnyName))
    }
    do throws(MessageEncodingError) {
      return try Message(answers: answers).encoded(limit: SignedPacket.maximumMessageLength)
    } catch {
      switch error {
      case .tooManyRecords: throw .tooManyRecords(answers.count)
      case .tooLong(let length): throw .packetTooLarge(length: length, largest: .init(of: answers, below: apex))
      }
    }
  }
}

extension SignedPacket {
  /// Signs records; see ``SignedPacketBuilder``.
  ///
  ///     try SignedPacket(signedBy: keypair) {
  ///       TXT("_hello", "world", ttl: .minutes(5))
  ///       A("www", "203.0.113.7", ttl: .hours(1))
  ///     }
  ///
  /// - Parameter timestamp: the packet's version; the moment of signing if it is nil.
  /// - Throws: `SignedPacketBuildError`.
  public init(
    signedBy keypair: Keypair, timestamp: Timestamp? = nil, @PacketRecordsBuilder _ records: () -> [RecordDraft]
  ) throws(SignedPacketBuildError) {
    var builder = SignedPacketBuilder()
    builder.timestamp = timestamp
    builder.append(contentsOf: records())
    self = try builder.sign(with: keypair)
  }

  /// Signs a list of records, for example those of another packet.
  ///
  /// - Parameters:
  ///   - timestamp: the packet's version; the moment of signing if it is nil.
  ///   - allowsAnyName: true if owner names may hold any bytes, as parsed packets do.
  /// - Throws: `SignedPacketBuildError`.
  public init(
    signedBy keypair: Keypair, timestamp: Timestamp? = nil, records: some Sequence<ResourceRecord>,
    allowsAnyName: Bool = false
  ) throws(SignedPacketBuildError) {
    var builder = SignedPacketBuilder()
    builder.timestamp = timestamp
    builder.allowsAnyName = allowsAnyName
    builder.append(contentsOf: records)
    self = try builder.sign(with: keypair)
  }
}
