import Addresses
import Cryptography
import MainlineProtocol

/// The network between the nodes.
extension Simulation {
  /// Sends a datagram from a place, as the conditions allow.
  func send(
    _ bytes: UnsafeRawBufferPointer, from sender: Endpoint, to receiver: Endpoint, at place: Place,
    after pause: Duration = .zero
  ) {
    statistics.sent += 1
    statistics.bytesSent += UInt64(bytes.count)
    statistics.largestDatagram = max(statistics.largestDatagram, bytes.count)
    if conditions.loss > 0, network.unit() < conditions.loss {
      statistics.lost += 1
      return
    }
    let delay = conditions.latency.delay(from: place, to: self.place(of: receiver)) + pause.nanoseconds
    transmit(bytes, from: sender, to: receiver, delay: delay)
    if conditions.duplication > 0, network.unit() < conditions.duplication {
      statistics.duplicated += 1
      transmit(bytes, from: sender, to: receiver, delay: delay)
    }
  }

  private func place(of endpoint: Endpoint) -> Place {
    switch receivers[endpoint] {
    case .node(let number): members[Int(number)]?.place ?? Place()
    case .peer(let number): peers[number].place
    case nil: gateways[endpoint.address].flatMap { members[Int($0)]?.place } ?? Place()
    }
  }

  private func transmit(_ bytes: UnsafeRawBufferPointer, from sender: Endpoint, to receiver: Endpoint, delay: Int64) {
    let index = datagrams.insert(bytes, from: sender, to: receiver)
    if conditions.corruption > 0, network.unit() < conditions.corruption, !bytes.isEmpty {
      statistics.corrupted += 1
      let copy = datagrams[index]
      for _ in 0...network.next() % 3 {
        let bit = Int(network.next() % UInt64(copy.count * 8))
        copy[bit / 8] ^= 1 << UInt8(bit % 8)
      }
    }
    var total = delay
    if conditions.jitter > .zero {
      // An exponential distribution with few bits of randomness is enough here, and the same on every machine.
      total += Int64(Double(conditions.jitter.nanoseconds) * Self.exponential[Int(network.next() >> 56)])
    }
    if conditions.reordering > 0, network.unit() < conditions.reordering {
      total += Int64(network.unit() * Double(conditions.reorderingDelay.nanoseconds))
    }
    heap.insert(.arrival, index, at: now.nanoseconds + max(total, 1))
  }

  /// 256 quantiles of the exponential distribution with mean 1: Σ 1/k is −ln(1 − p) at p = n/256, close enough.
  private static let exponential: [Double] = {
    var quantiles: [Double] = []
    var sum = 0.0
    for index in 0..<256 {
      quantiles.append(sum)
      sum += 1 / Double(256 - index)
    }
    return quantiles
  }()

  // MARK: Arrival

  /// Datagram `index` arrives.
  func arrive(_ index: UInt32) {
    let header = datagrams.header(index)
    switch receivers[header.receiver] {
    case .node(let number): deliver(index, header, to: members[Int(number)])
    case .peer(let number):
      let bytes = UnsafeRawBufferPointer(datagrams[index])
      mix(header, bytes)
      statistics.delivered += 1
      let copy = [UInt8](bytes)
      datagrams.remove(index)
      send(peers[number].peer.answer(copy, header.sender, &random), at: peers[number].place)
    case nil:
      guard let number = gateways[header.receiver.address], let node = members[Int(number)] else {
        statistics.undeliverable += 1
        return datagrams.remove(index)
      }
      guard let router = node.router, router.admits(header.sender, to: header.receiver.port, at: now.nanoseconds) else {
        statistics.blocked += 1
        return datagrams.remove(index)
      }
      deliver(index, header, to: node)
    }
  }

  private func deliver(_ index: UInt32, _ header: DatagramPool.Header, to node: SimulatedNode?) {
    guard let node else { return datagrams.remove(index) }
    let bytes = UnsafeRawBufferPointer(datagrams[index])
    mix(header, bytes)
    statistics.delivered += 1
    if let attacker = node.attacker,
      let query = ScriptedQuery([UInt8](bytes), from: header.sender, to: header.receiver),
      let answers = attacker.answer(query, as: node, in: self)
    {
      datagrams.remove(index)
      return send(answers, at: node.place)
    }
    drive(node) { node, now in node.receive(bytes.bytes, from: header.sender, at: now) }
    datagrams.remove(index)
  }

  private func send(_ answers: [ScriptedDatagram], at place: Place) {
    for datagram in answers {
      datagram.bytes.withUnsafeBytes {
        send($0, from: datagram.sender, to: datagram.receiver, at: place, after: datagram.pause)
      }
    }
  }

  private func mix(_ header: DatagramPool.Header, _ bytes: UnsafeRawBufferPointer) {
    func fold(_ word: UInt64) {
      let (high, low) = (digest ^ word).multipliedFullWidth(by: 0x9fb2_1c65_1e98_df25)
      digest = high ^ low &+ 0x2545_f491_4f6c_dd1d
    }
    fold(UInt64(bitPattern: now.nanoseconds))
    fold(header.sender.address.low &+ UInt64(header.sender.port) << 48)
    fold(header.receiver.address.low &+ UInt64(header.receiver.port) << 48)
    var offset = 0
    while offset + 8 <= bytes.count {
      fold(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    var rest: UInt64 = UInt64(bytes.count) << 56
    for index in offset..<bytes.count { rest |= UInt64(bytes[index]) << UInt64(8 * (index - offset)) }
    fold(rest)
  }
}
