/// What a session tells its owner. All functions are called from within ``HTTP2Session/receive(_:)`` or
/// ``HTTP2Session/produceOutput(into:limit:)``. They may call anything of the session but those two.
protocol HTTP2SessionDelegate: AnyObject {
  /// A request began. If `head.endsStream`, that was all of it, and `streamEnded` is not called.
  func session(_ session: HTTP2Session, stream: Int32, began head: HTTP2RequestHead)

  /// Bytes of the body arrived. The peer may send as many again only after ``HTTP2Session/consumed(_:_:)``.
  func session(_ session: HTTP2Session, stream: Int32, received data: UnsafeRawBufferPointer)

  /// The request's body is complete.
  func session(_ session: HTTP2Session, streamEnded stream: Int32, trailers: HTTPFields)

  /// The stream is gone, and nothing more may be sent: 0 after a complete response, else an error code (RFC 9113 §7). Called
  /// once for each request that `began`.
  func session(_ session: HTTP2Session, stream: Int32, closed error: UInt32)

  /// After ``HTTP2Session/write(_:_:)`` said no: there is room again.
  func session(_ session: HTTP2Session, canWrite stream: Int32)

  /// A request must not be served; it is to be answered with this status by ``HTTP2Session/respond(_:status:fields:body:)``
  /// before this function returns. Nothing else will be told of the stream. Without it the session answers by itself.
  func session(_ session: HTTP2Session, stream: Int32, refused status: HTTPStatus)
}

extension HTTP2SessionDelegate {
  func session(_ session: HTTP2Session, stream: Int32, refused status: HTTPStatus) {
    session.respond(stream, status: status, fields: [.contentLength: "0"], body: .none)
  }
}
