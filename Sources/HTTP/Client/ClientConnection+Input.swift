import EventLoops

/// Reading responses.
extension ClientConnection {
  private var wantsInput: Bool {
    switch state {
    case .idle, .waitingForHead: true
    case .receivingBody: !(pipe?.isFull ?? false)
    case .connecting, .handshake, .closed: false
    }
  }

  func readInput() throws {
    try usePending()
    while isReadable, wantsInput {
      let piece = try withUnsafeTemporaryAllocation(byteCount: Self.readSize, alignment: 16) { buffer -> Bool in
        guard let count = try transport.read(into: buffer) else {
          isReadable = false
          return false
        }
        if count == 0 {
          inputEnded()
          return false
        }
        hasSeenNothing = false
        try receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return true
      }
      if !piece { return }
    }
  }

  func usePending() throws {
    guard !pending.isEmpty, wantsInput else { return }
    var waiting: [UInt8] = []
    swap(&waiting, &pending)
    try waiting.withUnsafeBytes { try receive($0) }
  }

  func receive(_ bytes: UnsafeRawBufferPointer) throws {
    if !pending.isEmpty {
      pending.append(contentsOf: bytes)
      return try usePending()
    }
    var offset = 0
    do throws(HTTP1Error) {
      offset = try consume(bytes)
    } catch {
      return fail(.malformed(error.reason))
    }
    if case .closed = state { return }
    if offset < bytes.count { pending = Array(bytes[offset...]) }
  }

  func consume(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) -> Int {
    var offset = 0
    while offset < bytes.count {
      switch state {
      case .waitingForHead:
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        guard let (head, length) = try parser.parse(rest, requestMethod: method) else { return offset }
        offset += length
        headArrived(head)
      case .receivingBody:
        guard try consumeBody(bytes, &offset) else { return offset }
      case .idle:
        // Nobody asked for this.
        close()
        return bytes.count
      case .connecting, .handshake, .closed: return bytes.count
      }
    }
    return offset
  }

  func headArrived(_ head: HTTP1ResponseHead) {
    // 100 Continue and the like announce the real response.
    if head.status.isInformational {
      if head.status.code == 101 { fail(.malformed("the server changed the protocol unasked")) }
      return
    }
    wasUsed = true
    keepsAlive = head.keepsAlive
    var announced: UInt64?
    if case .length(let length) = head.framing { announced = length }
    let pipe = BodyPipe(on: loop, announcedLength: announced)
    self.pipe = pipe
    state = .receivingBody
    let continuation = whenHead
    whenHead = nil
    if head.framing == .none || head.framing == .length(0) {
      bodyEnded()
    } else {
      decoder = HTTP1BodyDecoder(head.framing, maximumBytes: nil)
      pipe.onDemand = { [weak self] in self?.bodyWanted() }
      startTimer(pool.configuration.bodyTimeout)
    }
    continuation?.resume(returning: .success((head, pipe)))
  }

  func consumeBody(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws(HTTP1Error) -> Bool {
    while decoder != nil {
      // The end takes no room, and nothing may come after it that would make it seen.
      if pipe?.isFull ?? true, decoder?.hasEnded == false { return false }
      switch try decoder!.next(bytes, from: &offset) {
      case .data(let range):
        startTimer(pool.configuration.bodyTimeout)
        pipe?.deliver(UnsafeRawBufferPointer(rebasing: bytes[range]))
      case .needsMore: return false
      case .end: bodyEnded()
      }
    }
    return true
  }

  func bodyWanted() {
    startTimer(pool.configuration.bodyTimeout)
    // Not at once: the reader asks from within its own reading.
    loop.execute { [weak self] in
      guard let self else { return }
      do {
        try readInput()
      } catch {
        fail(.connectionClosed)
      }
    }
  }

  func bodyEnded() {
    decoder = nil
    let ended = pipe
    pipe = nil
    stopTimer()
    state = .idle
    ended?.finish()
    if upload == nil { finishUse() } else { keepsAlive = false }
  }

  /// The exchange is over: keeps the connection for the next one, or closes it.
  func finishUse() {
    guard keepsAlive, pending.isEmpty, outputStart == output.count else { return close() }
    startTimer(pool.configuration.idleTimeout)
    pool.keep(self)
  }

  func inputEnded() {
    isReadable = false
    if case .receivingBody = state, decoder != nil {
      do throws(HTTP1Error) {
        // A body may end with its connection, if it said nothing else.
        try decoder?.finish()
        keepsAlive = false
        return bodyEnded()
      } catch {
        return fail(.connectionClosed)
      }
    }
    fail(.connectionClosed)
  }

  /// The response was released before its body had ended.
  func bodyReleased(_ pipe: BodyPipe) {
    if pipe === self.pipe { fail(.connectionClosed) }
  }
}
