import Addresses
import CLinux
import Glibc

extension UDPSocket {
  /// Sends one datagram. *Loop only.*
  public func send(_ bytes: UnsafeRawBufferPointer, to destination: Endpoint) {
    send(1) { _ in OutgoingDatagram(bytes: bytes, destination: destination) }
  }

  /// Sends up to `count` datagrams, in order, with as few system calls as possible. *Loop only.*
  ///
  /// `datagram` is asked for each index once; nil leaves it out. What the kernel takes is not copied here before; what it
  /// does not take yet is copied and waits. A datagram that cannot be sent is reported to the handler and the rest goes
  /// on.
  public func send(_ count: Int, _ datagram: (_ index: Int) -> OutgoingDatagram?) {
    guard descriptor >= 0, let loop else { return }
    loop.requireLoop()
    let batch = loop.datagramBuffers.outgoing
    var staged: [OutgoingDatagram] = []
    staged.reserveCapacity(min(count, DatagramBuffers.capacity))
    var index = 0
    while index < count {
      staged.removeAll(keepingCapacity: true)
      while index < count, staged.count < DatagramBuffers.capacity {
        if let next = datagram(index) { staged.append(next) }
        index += 1
      }
      var done = 0
      // What waits goes first.
      if backlog.isEmpty {
        for (slot, datagram) in staged.enumerated() {
          stage(datagram.bytes, datagram.destination, in: batch, slot)
        }
        done = transmit(batch, staged.count) { staged[$0].destination }
      }
      for datagram in staged[done...] { postpone(datagram) }
    }
  }

  /// Sends what waits, as far as the kernel takes it.
  func sendBacklog() {
    while !backlog.isEmpty, descriptor >= 0, let batch = loop?.datagramBuffers.outgoing {
      let items = (0..<min(backlog.count, DatagramBuffers.capacity)).map { backlog[$0] }
      // The bytes move into one piece of memory that stays where it is during the call.
      let memory = items.flatMap(\.bytes)
      let done = memory.withUnsafeBytes { memory in
        var offset = 0
        for (slot, item) in items.enumerated() {
          stage(
            UnsafeRawBufferPointer(rebasing: memory[offset..<offset + item.bytes.count]), item.destination, in: batch,
            slot)
          offset += item.bytes.count
        }
        return transmit(batch, items.count) { items[$0].destination }
      }
      guard descriptor >= 0 else { return }
      backlog.removeFirst(done)
      if done < items.count { return }
    }
    setWaitsToWrite(false)
  }

  private func stage(
    _ bytes: UnsafeRawBufferPointer, _ destination: Endpoint, in batch: UnsafeMutablePointer<linux_send_batch>,
    _ slot: Int
  ) {
    let family = localEndpoint.address.isIPv4 ? AF_INET : AF_INET6
    linux_send_batch_set(batch, Int32(slot), family, bytes.baseAddress, bytes.count, destination.system)
  }

  /// Gives the kernel `count` staged datagrams; returns how many of them are dealt with (sent or refused).
  private func transmit(
    _ batch: UnsafeMutablePointer<linux_send_batch>, _ count: Int, destination: (Int) -> Endpoint
  ) -> Int {
    var done = 0
    var hasRetried = false
    while done < count, descriptor >= 0 {
      let result = linux_send_batch_send(batch, descriptor, Int32(done), Int32(count - done))
      if result > 0 {
        statistics.sent += Int(result)
        done += Int(result)
        hasRetried = false
        continue
      }
      switch -result {
      case EAGAIN: return done
      case EINTR: continue
      case let code:
        // An ICMP error for a datagram sent long ago is reported here once, in place of sending this one.
        if !hasRetried, code != EMSGSIZE, takeUnreachable() {
          hasRetried = true
          continue
        }
        statistics.refused += 1
        failed(destination(done), code)
        done += 1
        hasRetried = false
      }
    }
    return done
  }

  private func postpone(_ datagram: OutgoingDatagram) {
    guard descriptor >= 0 else { return }
    if backlog.isEmpty { setWaitsToWrite(true) }
    let isOneTooMany = backlog.append(
      BacklogQueue.Item(
        bytes: [UInt8](datagram.bytes), destination: datagram.destination, isExpendable: datagram.isExpendable))
    if isOneTooMany { statistics.dropped += 1 }
  }
}
