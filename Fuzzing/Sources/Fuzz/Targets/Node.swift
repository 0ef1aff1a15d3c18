import Addresses
import Bencode
import Cryptography
import MainlineProtocol
import WireFormat

extension FuzzTarget {
  /// One datagram from a stranger to a fresh server: at most one answer, of at most 1452 bytes, canonical.
  static let krpc = FuzzTarget(name: "krpc", maximumLength: 2100) { input in
    var run = NodeRun(network: .isolated)
    run.deliver([UInt8](input), from: NodeRun.strangers[0])
    require(run.answersToLast <= 1, "\(run.answersToLast) answers to one datagram")
  }

  /// A conversation: queries of strangers, answers to what the node asked, and time that passes.
  ///
  /// The input is a list of steps: one byte that says who sends and what, two bytes of length, and the datagram. In a
  /// datagram, `TTTT` stands for the transaction id of the latest request to its sender and `TOKENTOK` for the latest
  /// token that the node gave to it, so the fuzzer need not guess what it could read.
  static let node = FuzzTarget(name: "node", maximumLength: 4096) { input in
    var bytes = input[...]
    var run = NodeRun(network: bytes.first.map { $0 & 1 == 0 } ?? true ? .isolated : .public)
    bytes = bytes.dropFirst()
    var steps = 0
    while let control = bytes.popFirst(), steps < 64 {
      steps += 1
      guard let high = bytes.popFirst(), let low = bytes.popFirst() else { break }
      let datagram = [UInt8](bytes.prefix(Int(high) << 8 | Int(low)))
      bytes = bytes.dropFirst(datagram.count)
      run.step(control, datagram)
    }
    run.end()
  }
}

/// A node under test and what is known of its conversations.
struct NodeRun: ~Copyable {
  static let strangers =
    (1...6).map { Endpoint(IPAddress(198, 41, 0, UInt8($0) * 16), port: 6881) } + [
      Endpoint(IPAddress(high: 0x2600_0000_0000_0000, low: 1), port: 6881), Endpoint(.loopbackV4, port: 1),
    ]

  private var node: DHTNode
  private var now = Instant(nanoseconds: 1_000_000_000)
  private var transactions: [Endpoint: [UInt8]] = [:]
  private var tokens: [Endpoint: [UInt8]] = [:]
  private var hasQueries = false
  /// Responses and errors that the last datagram caused.
  private(set) var answersToLast = 0

  init(network: NodeConfiguration.Network) {
    var configuration = NodeConfiguration.isolated
    configuration.network = network
    configuration.families = [.ipv4, .ipv6]
    configuration.storage.mutableItems = 8
    configuration.storage.immutableItems = 4
    configuration.storage.infoHashes = 4
    configuration.storage.peersPerInfoHash = 4
    node = DHTNode(configuration: configuration, random: RandomSource(seed: 1), at: now)
    node.tick(at: now)
    let contacts = Self.strangers.prefix(6).enumerated().map { index, endpoint in
      NodeContact(id: NodeID([UInt8](repeating: UInt8(index * 40), count: 20))!, endpoint: endpoint)
    }
    node.seed(contacts, at: now)
    collect()
  }

  mutating func step(_ control: UInt8, _ datagram: [UInt8]) {
    let sender = Self.strangers[Int(control & 7)]
    switch control >> 5 {
    case 0: startQuery(datagram)
    case 1:
      now = now.advanced(by: .milliseconds(Int(datagram.count) << Int(control >> 3 & 3) * 4))
      node.tick(at: now)
      collect()
    case 2:
      node.deliveryFailed(to: sender, at: now)
      collect()
    default: deliver(completed(datagram, for: sender), from: sender)
    }
  }

  mutating func deliver(_ datagram: [UInt8], from sender: Endpoint) {
    answersToLast = 0
    node.receive(datagram.span.bytes, from: sender, at: now)
    collect()
  }

  /// Lets all timers run out and looks at the node once more.
  mutating func end() {
    for _ in 0..<20 where node.nextDeadline < now.advanced(by: .seconds(30)) {
      now = max(now, node.nextDeadline)
      node.tick(at: now)
      collect()
    }
    let info = node.info(at: now)
    require(info.storedItems <= 12, "more items than may be stored")
    require(info.storedInfoHashes <= 4, "more info-hashes than may be stored")
    let saved = node.saved(at: now)
    require(saved.nodes.count <= 400, "more nodes saved than may be")
  }

  /// Items that the node keeps for others.
  var storedItems: Int { node.info(at: now).storedItems }

  /// One query of a user, named by the first byte.
  private mutating func startQuery(_ bytes: [UInt8]) {
    guard !hasQueries || bytes.count % 4 == 0 else { return }
    hasQueries = true
    let target = NodeID([UInt8](repeating: bytes.first ?? 0, count: 20))!
    let key = Ed25519.SecretKey(seed: [UInt8](repeating: 7, count: 32))!
    let query: Query? =
      switch (bytes.first ?? 0) & 7 {
      case 0: .findNode(target)
      case 1: .getPeers(target)
      case 2: .getMutable(key: key.publicKey, salt: [], newerThan: nil)
      case 3: .getImmutable(target)
      case 4: .announcePeer(target, port: nil)
      case 5: (try? ImmutableItem(bytes: bytes)).map { .putImmutable($0) }
      case 6:
        (try? MutableItem(signedBy: key, seq: 5, bytes: [1])).map { item in
          var options = PutOptions()
          options.cas = bytes.count % 3 == 0 ? 4 : nil
          options.force = bytes.count % 2 == 0
          options.extraNodes = [Self.strangers[5]]
          return .putMutable(item, options)
        }
      default: .ping(Self.strangers[0])
      }
    if let query { _ = node.start(query, at: now) }
    collect()
  }

  /// The datagram with the transaction id and token that belong to its sender in place of the marks.
  func completed(_ datagram: [UInt8], for sender: Endpoint) -> [UInt8] {
    var bytes = datagram
    if let transaction = transactions[sender] { Self.replace(Array("TTTT".utf8), in: &bytes, by: transaction) }
    if let token = tokens[sender] { Self.replace(Array("TOKENTOK".utf8), in: &bytes, by: token) }
    return bytes
  }

  private static func replace(_ mark: [UInt8], in bytes: inout [UInt8], by new: [UInt8]) {
    guard new.count == mark.count, bytes.count >= mark.count else { return }
    for start in 0...(bytes.count - mark.count) where bytes[start..<start + mark.count].elementsEqual(mark) {
      bytes.replaceSubrange(start..<start + mark.count, with: new)
      return
    }
  }

  /// Looks at everything that the node wants sent.
  private mutating func collect() {
    require(node.outbox.count <= 400, "\(node.outbox.count) datagrams at once")
    for index in 0..<node.outbox.count {
      let bytes = [UInt8](node.outbox.bytes(at: index))
      require(bytes.count <= DatagramQueue.maximumDatagramSize, "a datagram of \(bytes.count) bytes")
      inspect(bytes, to: node.outbox.endpoint(at: index))
    }
    node.outbox.removeAll()
    for case .wantsBootstrap in node.takeEvents() {
      node.addBootstrap([Self.strangers[0], Self.strangers[6]], at: now)
    }
  }

  private mutating func inspect(_ bytes: [UInt8], to receiver: Endpoint) {
    guard case .dictionary(let fields)? = try? BencodeValue(bytes), case .string(let kind)? = fields[[0x79]],
      case .string(let transaction)? = fields[[0x74]]
    else { fatalError("the node sends what is not canonical: \(String(decoding: bytes, as: UTF8.self))") }
    if kind == [UInt8(ascii: "q")] {
      transactions[receiver] = transaction
      return
    }
    answersToLast += 1
    if case .dictionary(let results)? = fields[[0x72]], case .string(let token)? = results[Array("token".utf8)] {
      tokens[receiver] = token
    }
  }
}
