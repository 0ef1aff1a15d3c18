import Addresses
import Bencode
import WireFormat

/// Answering others (BEP 5, BEP 44).
extension DHTNode {
  /// Nodes in one answer: more would not fit one unfragmented packet beside a value.
  static let nodesPerAnswer = 8
  /// What BEP 51 asks others to wait between two samples.
  private static let sampleInterval: Int64 = 3600
  private static let samplesPerAnswer = 20

  mutating func receiveQuery(_ message: KRPCMessage, _ datagram: RawSpan, from sender: Endpoint, at now: Instant) {
    if serverMode.takeProbe(message, datagram, from: sender, at: now) {
      return reachabilityConfirmed(sender, at: now)
    }
    guard serverMode.isServer, let family = familyIndex(of: sender), !isOwn(sender) else { return }
    guard limiter.admitQuery(from: sender.address, at: now) else {
      statistics.queriesDropped += 1
      return
    }
    let method = KnownMethod(message.method, in: datagram)
    let body = message.body
    if let filter = configuration.requestFilter, let method = method.counted {
      let target = body.target.isPresent ? body.target : body.infoHash
      guard filter(method, NodeID(datagram.extracting(target)), sender) else {
        statistics.queriesDropped += 1
        return
      }
    }
    let context = QueryContext(message: message, sender: sender, family: family, now: now)
    guard message.hasBody, body.id.isPresent, let id = NodeID(datagram.extracting(body.id)) else {
      return refuse(.protocol, context, datagram)
    }
    if let counted = method.counted { statistics.countServed(counted) }
    serverMode.queried(by: sender, at: now)
    let contact = NodeContact(id: id, endpoint: sender)
    serve(method, context, datagram)
    if !message.isReadOnly, mayEnterTable(contact) { noteQuerier(contact, family: family, at: now) }
  }

  private mutating func serve(_ method: KnownMethod, _ context: QueryContext, _ datagram: RawSpan) {
    let body = context.message.body
    switch method {
    case .ping: acknowledge(context, datagram)
    case .findNode:
      guard body.target.isPresent else { return refuse(.protocol, context, datagram) }
      answerFindNode(NodeID(datagram.extracting(body.target))!, context, datagram)
    case .get:
      guard body.target.isPresent else { return refuse(.protocol, context, datagram) }
      answerGet(NodeID(datagram.extracting(body.target))!, context, datagram)
    case .getPeers:
      guard body.infoHash.isPresent else { return refuse(.protocol, context, datagram) }
      answerGetPeers(NodeID(datagram.extracting(body.infoHash))!, context, datagram)
    case .announcePeer: answerAnnounce(context, datagram)
    case .put: answerPut(context, datagram)
    case .sampleInfohashes:
      guard body.target.isPresent else { return refuse(.protocol, context, datagram) }
      answerSample(NodeID(datagram.extracting(body.target))!, context, datagram)
    case .unknown:
      // Methods of the future that name a place are answered with the nodes there.
      let place = body.target.isPresent ? body.target : body.infoHash
      guard place.isPresent else { return refuse(.unknownMethod, context, datagram) }
      answerFindNode(NodeID(datagram.extracting(place))!, context, datagram)
    case .missing: refuse(.protocol, context, datagram)
    }
  }

  /// Who asks us may be worth knowing: he is pinged before he may enter the table.
  private mutating func noteQuerier(_ contact: NodeContact, family: Int, at now: Instant) {
    guard families[family].table.queried(by: contact, isSecure: isSecure(contact), at: now) else { return }
    if configuration.network == .isolated {
      ping(contact, at: now)
    } else {
      scheduleOnce(.unconfirmed, at: max(now, lastUnconfirmedPing.advanced(by: Self.unconfirmedPingInterval)))
    }
  }

  // MARK: Questions

  private mutating func answerFindNode(_ target: NodeID, _ context: QueryContext, _ datagram: RawSpan) {
    let nodes = nodesToName(target, context, datagram)
    var writer = beginAnswer(context)
    writeNodes(nodes, to: &writer)
    endAnswer(writer, context, datagram)
  }

  private mutating func answerGet(_ target: NodeID, _ context: QueryContext, _ datagram: RawSpan) {
    let token = tokens.token(for: context.sender.address, target: target, at: context.now)
    let known = context.message.body.seq
    let item = items.mutableItem(target)
    let newer = item.flatMap { item in known.map { item.seq > $0 } ?? true ? item : nil }
    // With `seq` only a mutable item can be meant; without it a mutable one comes first.
    let value = newer?.value ?? (item == nil && known == nil ? items.immutableValue(target) : nil)
    let nodes = nodesToName(target, context, datagram, besides: value?.count ?? 0)
    var writer = beginAnswer(context)
    if let newer {
      writer.write("1:k32:")
      newer.withKey { writer.write($0) }
    }
    writeNodes(nodes, to: &writer)
    if let item {
      writer.write("3:seq")
      writer.writeBencoded(item.seq)
    }
    if let newer {
      writer.write("3:sig64:")
      newer.signature.withUnsafeBytes { writer.write($0) }
    }
    writer.writeToken(token)
    if let value {
      writer.write("1:v")
      writer.write(value)
    }
    endAnswer(writer, context, datagram)
  }

  private mutating func answerGetPeers(_ infoHash: NodeID, _ context: QueryContext, _ datagram: RawSpan) {
    let nodes = nodesToName(infoHash, context, datagram)
    let known = peers.peers(
      of: infoHash, family: families[context.family].family, at: context.now, using: &random)
    var writer = beginAnswer(context)
    writeNodes(nodes, to: &writer)
    writer.writeToken(tokens.token(for: context.sender.address, target: infoHash, at: context.now))
    if !known.isEmpty {
      writer.write("6:valuesl")
      for peer in known {
        writer.writeDecimal(UInt64(CompactNode.endpointSize(peer.family)))
        writer.write(":")
        writer.write(peer)
      }
      writer.write("e")
    }
    endAnswer(writer, context, datagram)
  }

  private mutating func answerSample(_ target: NodeID, _ context: QueryContext, _ datagram: RawSpan) {
    let nodes = nodesToName(target, context, datagram)
    let samples = peers.sample(Self.samplesPerAnswer, using: &random)
    var writer = beginAnswer(context)
    writer.write("8:interval")
    writer.writeBencoded(Self.sampleInterval)
    writeNodes(nodes, to: &writer)
    writer.write("3:num")
    writer.writeBencoded(Int64(peers.infoHashCount))
    writer.write("7:samples")
    writer.writeDecimal(UInt64(samples.count * NodeID.byteCount))
    writer.write(":")
    for sample in samples { sample.write(to: &writer) }
    endAnswer(writer, context, datagram)
  }

  // MARK: Nodes

  /// The nodes that an answer names, in the families that were asked for (`want`, BEP 32).
  struct NamedNodes {
    var v4: RoutingTable.Matches?
    var v6: RoutingTable.Matches?
    var v4Index = 0
    var v6Index = 0
  }

  /// All bytes of the longest answer but the value, the nodes and the transaction id.
  private static let answerOverhead = 235

  /// At most eight nodes of each family that is wanted, fewer if they would not fit beside a value of `valueSize` bytes.
  private func nodesToName(
    _ target: NodeID, _ context: QueryContext, _ datagram: RawSpan, besides valueSize: Int = 0
  ) -> NamedNodes {
    let own = families[context.family].family
    var wanted = (v4: own == .ipv4, v6: own == .ipv6)
    if families.count > 1, context.message.body.want.isPresent {
      wanted = (false, false)
      KRPCMessage.forEachString(of: context.message.body.want, in: datagram) { name in
        if name.isEqual("n4") { wanted.v4 = true }
        if name.isEqual("n6") { wanted.v6 = true }
      }
    }
    // An IPv6 querier's endpoint, and a second list, take some bytes more.
    var room = DatagramQueue.maximumDatagramSize - Self.answerOverhead - valueSize
    room -= Int(context.message.transaction.count) + (own == .ipv6 ? 13 : 0) + (wanted.v4 && wanted.v6 ? 13 : 0)
    var nodes = NamedNodes()
    for index in families.indices {
      let family = families[index].family
      guard family == .ipv4 ? wanted.v4 : wanted.v6 else { continue }
      let share = wanted.v4 && wanted.v6 ? room / 2 : room
      let limit = max(0, min(Self.nodesPerAnswer, share / CompactNode.size(family)))
      let matches = families[index].table.closest(
        to: target, limit: limit, excluding: context.sender, at: context.now)
      if family == .ipv4 {
        (nodes.v4, nodes.v4Index) = (matches, index)
      } else {
        (nodes.v6, nodes.v6Index) = (matches, index)
      }
    }
    return nodes
  }

  @inline(__always)
  private func writeNodes(_ nodes: NamedNodes, to writer: inout WireWriter) {
    if let matches = nodes.v4 {
      writer.write("5:nodes")
      writeNodes(matches, of: nodes.v4Index, to: &writer)
    }
    if let matches = nodes.v6 {
      writer.write("6:nodes6")
      writeNodes(matches, of: nodes.v6Index, to: &writer)
    }
  }

  @inline(__always)
  private func writeNodes(_ matches: RoutingTable.Matches, of family: Int, to writer: inout WireWriter) {
    writer.writeDecimal(UInt64(matches.count * CompactNode.size(families[family].family)))
    writer.write(":")
    for index in 0..<matches.count { writer.write(families[family].table.contact(matches, index)) }
  }

  // MARK: Answers

  mutating func acknowledge(_ context: QueryContext, _ datagram: RawSpan) {
    let writer = beginAnswer(context)
    endAnswer(writer, context, datagram)
  }

  /// Begins a response up to our id; the results follow in ascending order of their keys.
  @inline(__always)
  private mutating func beginAnswer(_ context: QueryContext) -> WireWriter {
    var writer = outbox.begin()
    writer.beginResponse(observed: context.sender, id: families[context.family].table.localID)
    return writer
  }

  @inline(__always)
  private mutating func endAnswer(_ writer: consuming WireWriter, _ context: QueryContext, _ datagram: RawSpan) {
    writer.endResponse(
      transaction: datagram.extracting(context.message.transaction), version: configuration.version)
    let isQueued = outbox.end(writer, to: context.sender)
    account(isQueued, context)
  }

  mutating func refuse(_ error: KRPCError, _ context: QueryContext, _ datagram: RawSpan) {
    statistics.errorsSent[error.rawValue, default: 0] += 1
    var writer = outbox.begin()
    writer.writeError(
      error, observed: context.sender, transaction: datagram.extracting(context.message.transaction),
      version: configuration.version)
    let isQueued = outbox.end(writer, to: context.sender)
    account(isQueued, context)
  }

  private mutating func account(_ isQueued: Bool, _ context: QueryContext) {
    guard isQueued else {
      statistics.sendDrops += 1
      return
    }
    let size = outbox.bytes(at: outbox.count - 1).count
    guard limiter.admitAnswer(ofBytes: size, to: context.sender.address, at: context.now) else {
      outbox.removeLast()
      statistics.queriesDropped += 1
      return
    }
    countSent()
  }
}

/// What every answer needs to know of its query.
struct QueryContext {
  let message: KRPCMessage
  let sender: Endpoint
  let family: Int
  let now: Instant
}

/// The method that a query names.
enum KnownMethod {
  case ping, findNode, getPeers, announcePeer, get, put, sampleInfohashes
  /// A name that we do not know.
  case unknown
  /// No `q` at all.
  case missing

  init(_ name: ByteRange, in datagram: RawSpan) {
    guard name.isPresent else {
      self = .missing
      return
    }
    self =
      switch name.count {
      case 3: datagram.isEqual(name, "get") ? .get : datagram.isEqual(name, "put") ? .put : .unknown
      case 4: datagram.isEqual(name, "ping") ? .ping : .unknown
      case 9:
        datagram.isEqual(name, "find_node") ? .findNode : datagram.isEqual(name, "get_peers") ? .getPeers : .unknown
      case 13: datagram.isEqual(name, "announce_peer") ? .announcePeer : .unknown
      case 17: datagram.isEqual(name, "sample_infohashes") ? .sampleInfohashes : .unknown
      default: .unknown
      }
  }

  /// Under which name it is counted.
  var counted: QueryMethod? {
    switch self {
    case .ping: .ping
    case .findNode: .findNode
    case .getPeers: .getPeers
    case .announcePeer: .announcePeer
    case .get: .get
    case .put: .put
    case .sampleInfohashes: .sampleInfohashes
    case .unknown, .missing: nil
    }
  }
}

extension WireWriter {
  @inline(__always)
  fileprivate mutating func writeToken(_ token: UInt64) {
    write("5:token8:")
    write(token)
  }
}
