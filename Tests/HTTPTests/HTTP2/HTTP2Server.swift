@testable import HTTP

/// The owner of a session under test: notes what it is told, and answers as a test wishes.
final class HTTP2Server: HTTP2SessionDelegate {
  /// What is known of a request.
  struct Request {
    var head: HTTP2RequestHead
    var body: [UInt8] = []
    /// Pieces in which the body came.
    var pieces = 0
    var trailers: HTTPFields?
    var isEnded = false
    var closed: UInt32?

    var text: String { String(decoding: body, as: UTF8.self) }
  }

  private(set) var session: HTTP2Session!
  private(set) var requests: [Int32: Request] = [:]
  /// Streams in the order in which their requests began.
  private(set) var began: [Int32] = []
  private(set) var refused: [HTTPStatus] = []
  /// Streams that were told that they may write.
  private(set) var writable: [Int32] = []
  /// Nanoseconds.
  var now: UInt64 = 1_000_000_000
  /// If false, nothing of a body is consumed but by the test.
  var consumesBodies = true

  var onBegin: (HTTP2Server, Int32) -> Void = { _, _ in }
  var onData: (HTTP2Server, Int32) -> Void = { _, _ in }
  var onEnd: (HTTP2Server, Int32) -> Void = { _, _ in }
  var onWritable: (HTTP2Server, Int32) -> Void = { _, _ in }
  var onClose: (HTTP2Server, Int32) -> Void = { _, _ in }

  init(_ settings: HTTP2Settings = HTTP2Settings()) {
    session = HTTP2Session(settings: settings, delegate: self, now: { [unowned self] in now })
  }

  /// A server that answers each request with 200 and a text when it is complete.
  static func answering(_ text: String, _ settings: HTTP2Settings = HTTP2Settings()) -> HTTP2Server {
    let server = HTTP2Server(settings)
    server.onEnd = { server, id in
      server.session.respond(id, status: .ok, fields: HTTPFields(), body: .bytes(Array(text.utf8)))
    }
    return server
  }

  /// The first request.
  var first: Request? { began.first.flatMap { requests[$0] } }

  func receive(_ bytes: [UInt8]) throws(HTTP2Error) {
    // A copy of exactly that size, so that reading beyond it can be noticed.
    try withBytes(bytes) { bytes throws(HTTP2Error) in try session.receive(bytes) }
  }

  /// All that the session has to send now.
  func output(limit: Int = 1 << 20) -> [UInt8] {
    var bytes: [UInt8] = []
    do { try session.produceOutput(into: &bytes, limit: limit) } catch { return bytes }
    return bytes
  }

  func session(_ session: HTTP2Session, stream: Int32, began head: HTTP2RequestHead) {
    precondition(requests[stream] == nil, "a stream began twice")
    requests[stream] = Request(head: head, isEnded: head.endsStream)
    began.append(stream)
    onBegin(self, stream)
    if head.endsStream { onEnd(self, stream) }
  }

  func session(_ session: HTTP2Session, stream: Int32, received data: UnsafeRawBufferPointer) {
    precondition(requests[stream].map { !$0.isEnded && $0.closed == nil } ?? false, "data for a stream without need")
    requests[stream]?.body += data
    requests[stream]?.pieces += 1
    if consumesBodies { session.consumed(stream, data.count) }
    onData(self, stream)
  }

  func session(_ session: HTTP2Session, streamEnded stream: Int32, trailers: HTTPFields) {
    precondition(requests[stream].map { !$0.isEnded && $0.closed == nil } ?? false, "the end of a stream without need")
    requests[stream]?.isEnded = true
    requests[stream]?.trailers = trailers
    onEnd(self, stream)
  }

  func session(_ session: HTTP2Session, stream: Int32, closed error: UInt32) {
    precondition(requests[stream].map { $0.closed == nil } ?? false, "a stream was closed twice")
    requests[stream]?.closed = error
    onClose(self, stream)
  }

  func session(_ session: HTTP2Session, canWrite stream: Int32) {
    precondition(requests[stream].map { $0.closed == nil } ?? false, "a closed stream may write")
    writable.append(stream)
    onWritable(self, stream)
  }

  func session(_ session: HTTP2Session, stream: Int32, refused status: HTTPStatus) {
    refused.append(status)
    session.respond(stream, status: status, fields: [.contentLength: "0"], body: .none)
  }
}

/// The delegate that a server has which does not care for refusals.
final class IndifferentDelegate: HTTP2SessionDelegate {
  func session(_ session: HTTP2Session, stream: Int32, began head: HTTP2RequestHead) {}
  func session(_ session: HTTP2Session, stream: Int32, received data: UnsafeRawBufferPointer) {}
  func session(_ session: HTTP2Session, streamEnded stream: Int32, trailers: HTTPFields) {}
  func session(_ session: HTTP2Session, stream: Int32, closed error: UInt32) {}
  func session(_ session: HTTP2Session, canWrite stream: Int32) {}
}
