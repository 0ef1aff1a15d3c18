import EventLoops

/// Sending requests.
extension ClientConnection {
  func sendOutput() throws {
    guard try transport.flush() else {
      isWritable = false
      return
    }
    while outputStart < output.count {
      guard isWritable else { return }
      let start = outputStart
      let written = try output.withUnsafeBytes { try transport.write(UnsafeRawBufferPointer(rebasing: $0[start...])) }
      guard let written, written > 0 else {
        isWritable = false
        return
      }
      outputStart += written
    }
    output.removeAll(keepingCapacity: output.capacity <= Self.outputHighWater)
    outputStart = 0
    if try !transport.flush() { isWritable = false }
    wakeWriter(isOpen: true)
  }

  func write(_ bytes: [UInt8]) -> Bool {
    if case .closed = state { return false }
    if bytes.isEmpty { return true }
    if let left = bytesLeft {
      guard UInt64(bytes.count) <= left else {
        fail(.connectionClosed)
        return false
      }
      bytesLeft = left - UInt64(bytes.count)
    }
    if isChunked {
      bytes.withUnsafeBytes { HTTP1Encoder.chunk($0, into: &output) }
    } else {
      output += bytes
    }
    do {
      try sendOutput()
    } catch {
      fail(.connectionClosed)
      return false
    }
    return output.count - outputStart < Self.outputHighWater
  }

  func whenWritable(_ body: @escaping @Sendable (Bool) -> Void) {
    if case .closed = state { return body(false) }
    if output.count - outputStart < Self.outputHighWater { return body(true) }
    whenRoom = body
  }

  func writerCancelled() { wakeWriter(isOpen: false) }

  func wakeWriter(isOpen: Bool) {
    let body = whenRoom
    whenRoom = nil
    body?(isOpen)
  }
}
