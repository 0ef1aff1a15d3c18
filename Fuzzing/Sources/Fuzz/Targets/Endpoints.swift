import Cryptography
import DNSWire
import Pkarr
import WireFormat

extension FuzzTarget {
  /// Searches for endpoints through packets that whoever writes them signs: four keys, whose packets are the parts of the
  /// input. Names in it may lead from one key to the next, in loops, and to themselves.
  ///
  /// Input: one byte that chooses the query, the kind and the limit; then for each packet two bytes of length and that many
  /// bytes of a DNS message, in which the placeholder of a key stands for a key.
  static let endpoints = FuzzTarget(name: "endpoints", maximumLength: 4096) { input in
    guard let control = input.first else { return }
    let packets = signedPackets(Array(input.dropFirst()))
    let kind: EndpointKind = control & 1 == 0 ? .https : .svcb
    let maximum = [7, 1, 3, 64][Int(control >> 1 & 3)]
    let key = owners[0].publicKey.z32
    let queries = [key, "https://foo.\(key)/path?a#b", "*.\(key):443", "user@a..b.\(key)."]
    check(queries[Int(control >> 3 & 3)], kind, maximum, packets)
    // The query itself may be hostile as well.
    check(String(decoding: input.prefix(300), as: UTF8.self), kind, maximum, packets)
  }

  private static let owners = (0..<4).map { number in
    Keypair(Ed25519.SecretKey(seed: [UInt8](repeating: UInt8(64 + number), count: 32))!)
  }

  /// The packets that the input holds; a message may name the key of packet N as 51 times `y` and the digit of N (`ybnd`).
  private static func signedPackets(_ bytes: [UInt8]) -> [PublicKey: SignedPacket] {
    var packets: [PublicKey: SignedPacket] = [:]
    var rest = bytes[...]
    for owner in owners {
      guard rest.count >= 2 else { break }
      let length = min(Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1]), rest.count - 2)
      let message = withKeys(Array(rest.dropFirst(2).prefix(length)))
      rest = rest.dropFirst(2 + length)
      let now = Timestamp(microseconds: 1_784_000_000_000_000)
      let signable = SignedPacket.signableBytes(timestamp: now, message: message.span.bytes)
      let payload = owner.signature(for: signable.span.bytes).bytes + now.bytes + message
      packets[owner.publicKey] = try? SignedPacket(relayPayload: payload, publicKey: owner.publicKey, lastSeen: now)
    }
    return packets
  }

  private static let digits = Array("ybnd".utf8)

  private static func withKeys(_ message: [UInt8]) -> [UInt8] {
    var message = message
    var run = 0
    for index in message.indices {
      if run >= 51, let number = digits.firstIndex(of: message[index]) {
        message.replaceSubrange(index - 51...index, with: owners[number].publicKey.z32.utf8)
        run = 0
      } else {
        run = message[index] == digits[0] ? run + 1 : 0
      }
    }
    return message
  }

  private static func check(
    _ query: String, _ kind: EndpointKind, _ maximum: Int, _ packets: [PublicKey: SignedPacket]
  ) {
    var search = EndpointSearch(for: query, kind: kind, maximumPackets: maximum)
    var generator = Xoshiro256(seed: UInt64(query.utf8.count))
    var asked = 0
    var found = 0
    while true {
      require(search.failures.count <= 16, "\(search.failures.count) reasons")
      switch search.next() {
      case .resolve(let key):
        asked += 1
        require(asked <= maximum && search.packetCount == asked, "\(asked) packets, \(maximum) allowed")
        if let packet = packets[key] {
          search.supply(packet, using: &generator)
        } else {
          search.supply(failure: "not there")
        }
      case .endpoint(let endpoint):
        found += 1
        checkFound(endpoint, packets)
        // Each packet has at most as many records as fit into it.
        require(found <= maximum * 100, "\(found) endpoints")
      case .end:
        require(
          (search.name == nil) == (asked == 0), "a query without a key asks for packets, or one with a key does not")
        return search.failures.forEach { require(!$0.description.isEmpty, "a failure without a text") }
      }
    }
  }

  private static func checkFound(_ endpoint: ServiceEndpoint, _ packets: [PublicKey: SignedPacket]) {
    guard let packet = packets[endpoint.publicKey] else { fatalError("an endpoint of nobody: \(endpoint)") }
    require(endpoint.targetKey == nil, "an endpoint that leads to another key")
    require(endpoint.domain == nil || endpoint.addresses.isEmpty, "a domain with addresses of a packet")
    require(endpoint.domain == nil || endpoint.target != ".", "a domain that is none")
    require(endpoint.port != 0, "port 0")
    require(endpoint.attachedEndpoints.count == endpoint.addresses.count, "an address was lost")
    require(
      packet.records.contains { record in
        switch record.data {
        case .https(let binding), .svcb(let binding): binding == endpoint.binding
        default: false
        }
      }, "an endpoint without a record: \(endpoint)")
    for address in endpoint.addresses {
      require(packet.records.contains { $0.data.ipAddress == address }, "an address that stands nowhere")
    }
  }
}
