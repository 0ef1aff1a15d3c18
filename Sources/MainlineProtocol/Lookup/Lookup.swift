import Addresses

/// One iterative walk towards a target: `find_node`, `get_peers` or `get`.
///
/// The walk keeps its candidates in two orders and serves both. In *S-order* nodes whose ids are bound to their
/// addresses (BEP 42) come before all others, so forged ids stay behind honest ones; in *X-order* only the XOR distance
/// counts, which finds what other implementations stored at their eight closest nodes. A candidate that does not answer
/// loses its place, so a liar's invented neighbours cannot stop the walk; and once two of those that somebody named were
/// silent, the others that only he and his like name are asked last, if the walk still wants for nodes by then.
struct Lookup: Sendable {
  /// Width of the walk in S-order.
  static let width = 20
  /// Width of the walk in X-order.
  static let closestWidth = 8
  /// Requests at the same time.
  static let maximumInFlight = 20
  /// Nodes that one response may contribute.
  static let maximumFromOneResponse = 20
  /// Nodes of one source that may hold a place among the first ``width`` without having answered themselves.
  static let maximumUnprovenFromOneSource = 8
  /// Candidates kept; the farthest that was not asked goes first.
  static let maximumCandidates = 200
  /// Requests in all.
  static let maximumRequests = 200
  /// Time in all.
  static let maximumDuration: Duration = .seconds(10)
  /// Candidates of one /24 (IPv6 /64) on the public network.
  static let maximumPerNetwork = 2

  let target: NodeID
  /// False on an isolated network.
  let limitsAddresses: Bool
  private(set) var candidates: [Candidate] = []
  /// Indices of candidates by distance, those with secure ids and the rest.
  private var secureOrder: [Int] = []
  private var insecureOrder: [Int] = []
  private var anonymous: [Int] = []
  /// Where the candidate of each endpoint is.
  private var known: [Endpoint: Int] = [:]
  private(set) var inFlight = 0
  private(set) var answeredCount = 0
  private(set) var requests = 0
  /// Questions to widen the walk that wait for an answer, and how many more rounds of them there may be.
  private var wideningInFlight = 0
  private var wideningRoundsLeft = 2
  /// Nodes in the fullest response so far: a full one may have left out others.
  private var fullestResponse = 0

  init(target: NodeID, limitsAddresses: Bool) {
    self.target = target
    self.limitsAddresses = limitsAddresses
    candidates.reserveCapacity(64)
    known.reserveCapacity(64)
  }

  // MARK: Candidates

  /// Adds a node that our table or candidate `source` names. The caller has checked that its address can be used.
  mutating func add(_ contact: NodeContact, isSecure: Bool, source: Int?) {
    if let index = known[contact.endpoint] { return vouch(for: contact, at: index, source: source) }
    guard admitsAddress(contact, isSecure: isSecure) else { return }
    let candidate = Candidate(
      contact: contact, distance: contact.id ^ target, isSecure: isSecure, isAnonymous: false,
      sources: CandidateSources(source))
    guard let index = slot(for: candidate) else { return }
    known[contact.endpoint] = index
    place(index)
  }

  /// Adds a bootstrap address.
  mutating func addAnonymous(_ endpoint: Endpoint) {
    guard candidates.count < Self.maximumCandidates, known[endpoint] == nil else { return }
    known[endpoint] = candidates.count
    anonymous.append(candidates.count)
    candidates.append(
      Candidate(
        contact: NodeContact(id: .zero, endpoint: endpoint), distance: .zero, isSecure: false, isAnonymous: true))
  }

  /// One more names a candidate that may be waiting for somebody credible to do so.
  private mutating func vouch(for contact: NodeContact, at index: Int, source: Int?) {
    guard let source, candidates[index].state == .unasked, candidates[index].contact == contact,
      !candidates[index].sources.isEmpty
    else { return }
    candidates[index].sources.insert(source)
  }

  /// A free place in `candidates`; a full list gives up its farthest unasked one if that is farther.
  private mutating func slot(for candidate: Candidate) -> Int? {
    if candidates.count < Self.maximumCandidates {
      candidates.append(candidate)
      return candidates.count - 1
    }
    func lastUnasked(_ order: [Int]) -> Int? { order.lastIndex { candidates[$0].state == .unasked } }
    let index: Int
    if let place = lastUnasked(insecureOrder) {
      guard candidate.isSecure || candidates[insecureOrder[place]].distance > candidate.distance else { return nil }
      index = insecureOrder.remove(at: place)
    } else if candidate.isSecure, let place = lastUnasked(secureOrder),
      candidates[secureOrder[place]].distance > candidate.distance
    {
      index = secureOrder.remove(at: place)
    } else {
      return nil
    }
    known[candidates[index].contact.endpoint] = nil
    candidates[index] = candidate
    return index
  }

  private mutating func place(_ index: Int) {
    if candidates[index].isSecure {
      secureOrder.insert(index, at: position(of: candidates[index].distance, in: secureOrder))
    } else {
      insecureOrder.insert(index, at: position(of: candidates[index].distance, in: insecureOrder))
    }
  }

  private func position(of distance: NodeID, in order: [Int]) -> Int {
    var low = 0
    var high = order.count
    while low < high {
      let middle = (low + high) / 2
      if candidates[order[middle]].distance < distance { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// On the public network: at most two of a /24; one of an address, or several secure ones with different prefixes.
  private func admitsAddress(_ contact: NodeContact, isSecure: Bool) -> Bool {
    guard limitsAddresses else { return true }
    let network = AddressBlock.network(contact.endpoint.address)
    let host = AddressBlock.host(contact.endpoint.address)
    var neighbours = 0
    for other in candidates where AddressBlock.network(other.contact.endpoint.address) == network {
      neighbours += 1
      guard neighbours < Self.maximumPerNetwork else { return false }
      if AddressBlock.host(other.contact.endpoint.address) == host, !other.isAnonymous {
        let isOther = SecureNodeID.prefix(of: other.contact.id) != SecureNodeID.prefix(of: contact.id)
        guard isSecure, other.isSecure, isOther else { return false }
      }
    }
    return true
  }
}

// MARK: - The walk

extension Lookup {
  /// What a look at both orders finds.
  struct Survey {
    /// The candidate to be asked next.
    var next: Int?
    /// True if all who hold a place have answered.
    var isComplete: Bool
  }

  /// The next candidate to ask: bootstrap addresses, then the first 20 of S-order, then the first 8 of X-order, not
  /// counting those that failed or are overdue.
  func survey() -> Survey {
    var isWaiting = false
    for index in anonymous {
      switch candidates[index].state {
      case .unasked: return Survey(next: index, isComplete: false)
      case .asked: isWaiting = true
      default: break
      }
    }
    for asksDoubtful in [false, true] where !asksDoubtful || answeredCount < Self.width {
      if let next = surveyByTrust(asksDoubtful, &isWaiting) ?? surveyByDistance(asksDoubtful, &isWaiting) {
        return Survey(next: next, isComplete: false)
      }
      // Those who are asked at the moment may name better ones.
      if isWaiting { break }
    }
    return Survey(next: nil, isComplete: !isWaiting)
  }

  /// Whether a candidate is named only by candidates that name in vain.
  private func isDoubtful(_ index: Int) -> Bool {
    let sources = candidates[index].sources
    return !sources.isEmpty && !sources.contains { !candidates[$0].namesInVain }
  }

  private func surveyByTrust(_ asksDoubtful: Bool, _ isWaiting: inout Bool) -> Int? {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.maximumCandidates) { unproven in
      unproven.initialize(repeating: 0)
      var places = 0
      for order in [secureOrder, insecureOrder] {
        for index in order {
          guard places < Self.width else { return nil }
          let state = candidates[index].state
          if state == .failed || state == .late { continue }
          if state == .unasked, !asksDoubtful, isDoubtful(index) { continue }
          if state != .answered, let source = candidates[index].sources.first {
            guard unproven[source] < Self.maximumUnprovenFromOneSource else { continue }
            unproven[source] += 1
          }
          if state == .unasked { return index }
          if state == .asked { isWaiting = true }
          places += 1
        }
      }
      return nil
    }
  }

  private func surveyByDistance(_ asksDoubtful: Bool, _ isWaiting: inout Bool) -> Int? {
    var places = 0
    var secure = secureOrder.makeIterator()
    var insecure = insecureOrder.makeIterator()
    var a = secure.next()
    var b = insecure.next()
    while places < Self.closestWidth, a != nil || b != nil {
      let index: Int
      if let first = a, b.map({ candidates[first].distance < candidates[$0].distance }) ?? true {
        index = first
        a = secure.next()
      } else {
        index = b!
        b = insecure.next()
      }
      switch candidates[index].state {
      case .failed, .late: continue
      case .unasked:
        if !asksDoubtful, isDoubtful(index) { continue }
        return index
      case .asked: isWaiting = true
      case .answered: break
      }
      places += 1
    }
    return nil
  }

  /// Candidate `index` was sent the query.
  mutating func asked(_ index: Int) {
    candidates[index].state = .asked
    inFlight += 1
    requests += 1
  }

  /// The answer of candidate `index` is overdue.
  mutating func overdue(_ index: Int) {
    guard candidates[index].state == .asked else { return }
    candidates[index].state = .late
    inFlight -= 1
    creditSources(of: index, silent: true)
  }

  /// Candidate `index` will not answer, or answered with an error.
  mutating func failed(_ index: Int) {
    if candidates[index].state == .asked {
      inFlight -= 1
      creditSources(of: index, silent: true)
    }
    if candidates[index].state != .answered { candidates[index].state = .failed }
  }

  /// Whoever named a candidate is judged by whether it answers.
  private mutating func creditSources(of index: Int, silent: Bool) {
    let sources = candidates[index].sources
    sources.forEach { source in
      if silent {
        candidates[source].silentNames = min(254, candidates[source].silentNames) + 1
      } else {
        candidates[source].answeringNames = min(254, candidates[source].answeringNames) + 1
      }
    }
  }

  /// Candidate `index` has answered, under the id that it names itself.
  mutating func answered(_ index: Int, id: NodeID, isSecure: Bool, token: [UInt8]?) {
    if candidates[index].state == .asked { inFlight -= 1 }
    if candidates[index].state != .answered { answeredCount += 1 }
    candidates[index].state = .answered
    creditSources(of: index, silent: false)
    candidates[index].token = token
    let listed = candidates[index]
    candidates[index].isStorable = token != nil
    guard listed.isAnonymous || listed.contact.id != id else { return }
    if listed.isAnonymous {
      anonymous.removeAll { $0 == index }
    } else {
      secureOrder.removeAll { $0 == index }
      insecureOrder.removeAll { $0 == index }
      // Who was named as a neighbour of the target and is none after all has no claim to its items.
      if target.bucketDistance(to: id) > target.bucketDistance(to: listed.contact.id) + 8 {
        candidates[index].isStorable = false
      }
    }
    candidates[index].isAnonymous = false
    candidates[index].contact.id = id
    candidates[index].distance = id ^ target
    candidates[index].isSecure = isSecure
    place(index)
  }

  /// Candidate `index` answered with something wrong: it is not to be trusted with an item.
  mutating func distrust(_ index: Int) { candidates[index].isStorable = false }

  /// Candidate `index` holds an item of this seq.
  mutating func holds(_ index: Int, seq: Int64) { candidates[index].returnedSeq = seq }

  // MARK: Widening

  /// A response named `count` nodes.
  mutating func responseNamed(_ count: Int) { fullestResponse = max(fullestResponse, count) }

  /// Where to look for the rest if fewer than ``width`` nodes have answered, and whom to ask.
  ///
  /// Around a target every node names the same eight, so a walk among nodes that know each other well ends with those.
  /// The nodes behind them are the closest ones of the neighbouring subtrees: of the target with one bit flipped.
  mutating func widening() -> [(target: NodeID, ask: Int)] {
    let answered = (secureOrder + insecureOrder).filter { candidates[$0].state == .answered }
    guard wideningRoundsLeft > 0, (Self.closestWidth..<Self.width).contains(answered.count),
      fullestResponse >= Self.closestWidth
    else { return [] }
    wideningRoundsLeft -= 1
    let byDistance = answered.sorted { candidates[$0].distance < candidates[$1].distance }
    // The subtree of the eighth closest may be known in part only; the next ones are as large as all before together.
    let first = target.bucketDistance(to: candidates[byDistance[Self.closestWidth - 1]].contact.id)
    return (first...min(160, first + 2)).map { subtree in
      let neighbour = target.flippingBit(160 - subtree)
      let ask = answered.min {
        candidates[$0].contact.id ^ neighbour < candidates[$1].contact.id ^ neighbour
      }!
      return (neighbour, ask)
    }
  }

  var isWidening: Bool { wideningInFlight > 0 }

  mutating func wideningAsked() {
    wideningInFlight += 1
    requests += 1
  }

  mutating func wideningEnded() { wideningInFlight = max(0, wideningInFlight - 1) }

  // MARK: Results

  /// Those that answered, in S-order.
  var respondersByTrust: [Candidate] {
    (secureOrder + insecureOrder).map { candidates[$0] }.filter { $0.state == .answered }
  }

  /// Those that may store an item, by distance alone.
  var storableByDistance: [Candidate] {
    respondersByTrust.filter(\.isStorable).sorted { $0.distance < $1.distance }
  }

  /// The first 20: those that answered in S-order, then those that are only claimed.
  var found: [Candidate] {
    let claimed = (secureOrder + insecureOrder).map { candidates[$0] }.filter { $0.state == .unasked }
    return Array((respondersByTrust + claimed).prefix(Self.width))
  }
}
