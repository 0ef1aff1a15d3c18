import Addresses

/// Finds out the node's public endpoint from what others say that they see (BEP 42), without believing a few liars.
///
/// Each responder's network has one vote, its latest, for an hour; the last 64 votes are kept. An address is established
/// by five votes from four providers (/16) that are 60 % of all; another takes its place only if it wins like that twice,
/// in two lookups and with votes that came after the first win. One value for each address family.
public struct AddressVotes: Sendable {
  private struct Vote: Sendable {
    let voter: AddressBlock
    let time: Instant
    let number: UInt32
    /// Place in `endpoints`.
    let seen: UInt8
  }

  static let capacity = 64
  static let lifetime: Duration = .seconds(3600)

  private let configured: Endpoint?
  /// On an isolated network any address may be voted for, and one vote is enough.
  private let isIsolated: Bool
  private var votes: [Vote] = []
  /// What was voted for: mostly one endpoint, by everybody.
  private var endpoints: [Endpoint] = []
  private var nextNumber: UInt32 = 0
  private var established: IPAddress?
  private var port: UInt16?
  /// An address that has won once against the established one, and the number of the next vote then.
  private var challenger: (address: IPAddress, since: UInt32)?

  /// True if no port has 60 % of the votes for the public address: the router gives every destination another one, so
  /// nobody can be expected to reach this node.
  public private(set) var isSymmetric = false

  /// - Parameters:
  ///   - configured: the public endpoint, if the operator knows it; port 0 leaves the port to the votes.
  ///   - acceptsAnyAddress: on an isolated network any address may be voted for, and one vote is enough.
  init(configured: Endpoint? = nil, acceptsAnyAddress: Bool = false) {
    self.configured = configured
    isIsolated = acceptsAnyAddress
  }

  /// The public address: the configured one, or the established one.
  public var publicAddress: IPAddress? { configured?.address ?? established }

  /// The public port: the configured one, or the one that most votes for the address name; nil if unknown.
  public var publicPort: UInt16? {
    if let configured, configured.port != 0 { return configured.port }
    if let configured, configured.address != established { return nil }
    return port
  }

  /// Address and port, once both are known.
  public var publicEndpoint: Endpoint? {
    guard let publicAddress, let publicPort else { return nil }
    return Endpoint(publicAddress, port: publicPort)
  }

  /// The address that others agree on, if it is not the configured one.
  public var disagreement: IPAddress? {
    guard let configured, let established, established != configured.address else { return nil }
    return established
  }

  /// Number of votes that are kept.
  var count: Int { votes.count }

  /// Counts what a responder sees. Only for answers that match a request of ours.
  mutating func vote(_ seen: Endpoint, by responder: Endpoint, at now: Instant) {
    guard seen.port != 0, isIsolated || seen.address.isGlobalUnicast else { return }
    let voter: AddressBlock = isIsolated ? .endpoint(responder) : .network(responder.address)
    forget(at: now)
    if let earlier = votes.firstIndex(where: { $0.voter == voter }) { votes.remove(at: earlier) }
    if votes.count >= Self.capacity { votes.removeFirst() }
    votes.append(Vote(voter: voter, time: now, number: nextNumber, seen: place(of: seen)))
    nextNumber &+= 1
  }

  /// Where an endpoint is in `endpoints`; a new one takes the place of one that has no votes left.
  private mutating func place(of endpoint: Endpoint) -> UInt8 {
    if let known = endpoints.firstIndex(of: endpoint) { return UInt8(known) }
    if let free = endpoints.indices.first(where: { place in !votes.contains { $0.seen == place } }) {
      endpoints[free] = endpoint
      return UInt8(free)
    }
    endpoints.append(endpoint)
    return UInt8(endpoints.count - 1)
  }

  private func seen(_ vote: Vote) -> Endpoint { endpoints[Int(vote.seen)] }

  /// Counts the votes: to be called at the end of each lookup. True if the public address or port is another one now.
  mutating func lookupEnded(at now: Instant) -> Bool {
    forget(at: now)
    let before = publicEndpoint
    let addressBefore = publicAddress
    if let winner = winner(among: votes[...]) {
      if established == nil || established == winner {
        established = winner
        challenger = nil
      } else if let challenger, challenger.address == winner {
        let since = votes.firstIndex { $0.number >= challenger.since } ?? votes.endIndex
        if self.winner(among: votes[since...]) == winner {
          established = winner
          self.challenger = nil
        }
      } else {
        challenger = (winner, nextNumber)
      }
    }
    countPorts()
    return before != publicEndpoint || addressBefore != publicAddress
  }

  private mutating func forget(at now: Instant) {
    // They stand in the order of their times.
    votes.removeFirst(votes.prefix { $0.time.duration(to: now) >= Self.lifetime }.count)
  }

  private func winner(among votes: ArraySlice<Vote>) -> IPAddress? {
    var counts: [IPAddress: Int] = [:]
    for vote in votes { counts[seen(vote).address, default: 0] += 1 }
    guard let (address, count) = counts.max(by: { $0.value < $1.value }), count * 5 >= votes.count * 3 else {
      return nil
    }
    if isIsolated { return address }
    let providers = Set(
      votes.lazy.filter { seen($0).address == address }.map { $0.voter.provider(isIPv4: address.isIPv4) })
    return count >= 5 && providers.count >= 4 ? address : nil
  }

  private mutating func countPorts() {
    guard let address = established else { return }
    var counts: [UInt16: Int] = [:]
    var total = 0
    for vote in votes where seen(vote).address == address {
      counts[seen(vote).port, default: 0] += 1
      total += 1
    }
    // Without any vote left, what was known stays.
    guard let (best, count) = counts.max(by: { $0.value < $1.value }) else { return }
    isSymmetric = count * 5 < total * 3
    port = isSymmetric ? nil : best
  }
}
