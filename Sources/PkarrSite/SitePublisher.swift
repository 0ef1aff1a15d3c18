import Addresses
import Pkarr
import PkarrClient

/// Tells the network where the site of a key is, and goes on telling it, since nodes forget.
///
/// The records are an HTTPS record at the apex with the target `.` and the port, and the addresses beside it. Whatever else
/// is published under the key stays, unless it is to be replaced.
public struct SitePublisher: Sendable {
  /// Where others reach the site.
  public struct Place: Hashable, Sendable {
    /// Its addresses; empty: as the DHT sees this machine.
    public var addresses: [IPAddress]
    /// Families that the site listens on, of the addresses that the DHT sees.
    public var families: Set<IPAddress.Family> = [.ipv4, .ipv6]
    /// Its port.
    public var port: UInt16
    /// How long others may keep the records.
    public var ttl: TimeToLive = .hours(1)

    /// Joins the parts.
    public init(addresses: [IPAddress], port: UInt16) {
      self.addresses = addresses
      self.port = port
    }
  }

  /// A packet that was published, and who took it.
  public struct Publication: Sendable {
    /// The packet.
    public var packet: SignedPacket
    /// Who took it.
    public var report: PublishReport
  }

  private let client: PkarrClient
  private let keypair: Keypair
  private let place: Place
  private let replacesAll: Bool
  private var last: SignedPacket?

  /// Publishes through a client.
  ///
  /// - Parameter replacesAll: whether all other records of the key go.
  public init(_ client: PkarrClient, _ keypair: Keypair, at place: Place, replacesAll: Bool = false) {
    self.client = client
    self.keypair = keypair
    self.place = place
    self.replacesAll = replacesAll
  }

  /// Publishes once. What says the right thing already is published again as it is; otherwise a new packet is signed.
  ///
  /// - Throws: ``SitePublicationError``.
  public mutating func publish() async throws(SitePublicationError) -> Publication {
    let current = try await current()
    let addresses = try await addresses()
    let own = Self.records(of: keypair.publicKey, at: addresses, place)
    if let current, Set(merged(current.records, own)) == Set(current.records) {
      let report = await client.attemptToPublish(current)
      switch report.result {
      case .success: return remember(current, report)
      case .failure(.notMostRecent): break
      case .failure(let error): throw .update(.publish(error))
      }
    }
    let (replacesAll, key) = (replacesAll, keypair.publicKey)
    do throws(UpdateError) {
      let report = try await client.publish(updating: keypair) { state in
        Self.merged(replacesAll ? [] : state.packet?.records ?? [], own, key)
      }
      guard let packet = report.packet else { throw .publish(.unexpectedResponses) }
      return remember(packet, report)
    } catch {
      throw .update(error)
    }
  }

  private mutating func remember(_ packet: SignedPacket, _ report: PublishReport) -> Publication {
    last = packet
    return Publication(packet: packet, report: report)
  }

  /// What is published; what was published last if the network has forgotten it.
  private func current() async throws(SitePublicationError) -> SignedPacket? {
    do throws(ResolveError) {
      return try await client.resolve(keypair.publicKey, policy: .networkOnly)
    } catch {
      switch error {
      case .notFound: return last
      // Somebody uses the key for something else: only who says so destroys that.
      case .invalidSignedPacket where replacesAll: return nil
      default: throw .update(.resolve(error))
      }
    }
  }

  private func addresses() async throws(SitePublicationError) -> [IPAddress] {
    if !place.addresses.isEmpty { return place.addresses }
    let seen = await client.dhtInfo()?.publicEndpoints.map(\.address) ?? []
    let usable = seen.filter { place.families.contains($0.family) }
    if usable.isEmpty { throw .noAddress }
    return usable
  }

  /// The records that say where a site is.
  static func records(of key: PublicKey, at addresses: [IPAddress], _ place: Place) -> [ResourceRecord] {
    var binding = ServiceBinding(priority: 1, target: .root)
    if place.port != 443 { binding.setPort(place.port) }
    return ([.https(binding)] + addresses.map { .address($0) }).map {
      ResourceRecord(name: key.domainName, class: .internet, ttl: place.ttl.seconds, data: $0)
    }
  }

  private func merged(_ existing: [ResourceRecord], _ own: [ResourceRecord]) -> [ResourceRecord] {
    Self.merged(replacesAll ? [] : existing, own, keypair.publicKey)
  }

  /// Own records in the place of those that say the same of another place.
  static func merged(_ existing: [ResourceRecord], _ own: [ResourceRecord], _ key: PublicKey) -> [ResourceRecord] {
    let apex = key.domainName
    return own
      + existing.filter { record in
        guard record.name == apex else { return true }
        switch record.data {
        case .a, .aaaa: return false
        case .https(let binding): return !binding.target.isRoot
        default: return true
        }
      }
  }
}

/// Why the place of a site was not published.
public enum SitePublicationError: Error, Sendable {
  /// No address was given, and the DHT does not say which one this machine has.
  case noAddress
  /// What is published could not be read or changed.
  case update(UpdateError)

  /// True if trying again later may help.
  public var isTemporary: Bool {
    switch self {
    case .noAddress: true
    case .update(.build), .update(.resolve(.invalidSignedPacket)), .update(.publish(.notPublishable)): false
    case .update: true
    }
  }
}

extension SitePublicationError: CustomStringConvertible {
  /// For a person, on up to three lines.
  public var description: String {
    switch self {
    case .noAddress: "nobody has said yet which address this machine has"
    case .update(let error): error.description
    }
  }
}
