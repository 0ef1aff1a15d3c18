import CGnuTLS
import Glibc

/// Between GnuTLS and the socket: reads ahead in large pieces, and keeps what the socket does not take.
///
/// GnuTLS never hears that a write would block. Otherwise it would have to be told again what it was writing, and that
/// goes wrong when the peer asks for new keys in the meantime: GnuTLS 3.7 then sends the record twice or fails.
final class TLSTransport {
  private let descriptor: Int32
  private var session: gnutls_session_t?

  /// Encrypted bytes that were read ahead, or nothing. Only there during a call, or while bytes are left in it.
  private var input: UnsafeMutableRawPointer?
  private var inputStart = 0
  private var inputEnd = 0
  /// Encrypted bytes that the socket has not taken yet, from `outputStart` on.
  private var output: [UInt8] = []
  private var outputStart = 0
  /// Keeps what is sent until `end`, so that the messages of one flight leave together.
  private var isGathering = false

  /// True if the socket had nothing more to read during this call.
  private(set) var isStarved = false
  /// True if the peer has closed its side of the socket.
  private(set) var hasEnded = false
  /// The error number of the socket, once it has failed.
  private(set) var failure: Int32?

  /// Two records of the largest size.
  private static let inputSize = 33 << 10

  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { input?.deallocate() }

  /// Makes GnuTLS use this for all its input and output. It holds no reference.
  func attach(to session: gnutls_session_t) {
    self.session = session
    gnutls_transport_set_ptr(session, Unmanaged.passUnretained(self).toOpaque())
    gnutls_transport_set_pull_function(session) { transport, buffer, count in
      Unmanaged<TLSTransport>.fromOpaque(transport!)._withUnsafeGuaranteedRef { $0.pull(into: buffer!, count) }
    }
    gnutls_transport_set_vec_push_function(session) { transport, vectors, count in
      Unmanaged<TLSTransport>.fromOpaque(transport!)._withUnsafeGuaranteedRef {
        $0.push(UnsafeBufferPointer(start: vectors, count: Int(count)))
      }
    }
  }

  /// Before GnuTLS is called to read.
  func begin(gathering: Bool) {
    isStarved = false
    isGathering = gathering
  }

  /// After GnuTLS was called to read.
  func end() {
    isGathering = false
    // An idle connection holds no buffer.
    if inputStart == inputEnd, let buffer = input {
      buffer.deallocate()
      input = nil
    }
  }

  /// True if there are encrypted bytes that GnuTLS has not seen yet.
  var hasBufferedInput: Bool { inputStart < inputEnd }
  /// True if the socket has taken everything.
  var isEmpty: Bool { output.isEmpty }

  /// Bytes of buffers that are held now.
  var heldBytes: Int { (input == nil ? 0 : Self.inputSize) + output.capacity }

  /// Sends what waits; true if nothing does any more.
  func flush() throws(TLSError) -> Bool {
    while !output.isEmpty {
      let count = output.withUnsafeBytes {
        send(descriptor, $0.baseAddress! + outputStart, $0.count - outputStart, Self.sendFlags)
      }
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { return false }
        fail(errno)
        break
      }
      outputStart += count
      if outputStart == output.count { discardOutput() }
    }
    if let failure { throw TLSError(socketError: failure, gnutls: GNUTLS_E_PUSH_ERROR, doing: "send") }
    return true
  }

  /// Sends the acknowledgement that the kernel may be holding back.
  func acknowledgeAtOnce() {
    var on: Int32 = 1
    // Fails on sockets that are not TCP, which have nothing to acknowledge.
    _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  private static let sendFlags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)

  private func discardOutput() {
    output = []
    outputStart = 0
  }

  private func fail(_ code: Int32) {
    failure = code
    discardOutput()
  }

  /// Called by GnuTLS, which wants `count` bytes: those of a header, or of the rest of a record.
  private func pull(into buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    if inputStart == inputEnd {
      let received = receive()
      if received <= 0 { return received }
    }
    let taken = min(count, inputEnd - inputStart)
    buffer.copyMemory(from: input! + inputStart, byteCount: taken)
    inputStart += taken
    return taken
  }

  /// Fills the buffer, which is empty. As `recv`, with the error handed to GnuTLS.
  private func receive() -> Int {
    if hasEnded { return 0 }
    let buffer = input ?? .allocate(byteCount: Self.inputSize, alignment: 16)
    input = buffer
    var count = 0
    repeat {
      count = recv(descriptor, buffer, Self.inputSize, Int32(MSG_DONTWAIT))
    } while count < 0 && errno == EINTR
    inputStart = 0
    inputEnd = max(0, count)
    if count < 0 {
      let code = errno
      if code == EAGAIN { isStarved = true } else { failure = code }
      gnutls_transport_set_errno(session, code)
    }
    if count == 0 { hasEnded = true }
    return count
  }

  /// Called by GnuTLS. Takes everything.
  private func push(_ vectors: UnsafeBufferPointer<giovec_t>) -> Int {
    let total = vectors.reduce(0) { $0 + $1.iov_len }
    var sent = 0
    if failure == nil, output.isEmpty, !isGathering {
      var message = msghdr()
      message.msg_iov = UnsafeMutablePointer(mutating: vectors.baseAddress)
      message.msg_iovlen = vectors.count
      repeat {
        sent = sendmsg(descriptor, &message, Self.sendFlags)
      } while sent < 0 && errno == EINTR
      if sent < 0 {
        if errno != EAGAIN { fail(errno) }
        sent = 0
      }
    }
    if let failure {
      gnutls_transport_set_errno(session, failure)
      return -1
    }
    if sent < total { keep(vectors, from: sent) }
    return total
  }

  private func keep(_ vectors: UnsafeBufferPointer<giovec_t>, from start: Int) {
    var skipped = start
    for vector in vectors {
      let bytes = UnsafeRawBufferPointer(start: vector.iov_base, count: vector.iov_len)
      output.append(contentsOf: bytes.dropFirst(skipped))
      skipped = max(0, skipped - bytes.count)
    }
  }
}
