/// What a session knows of a stream. It lives from the first HEADERS frame until nghttp2 has closed the stream.
final class HTTP2Stream {
  /// The head, then the trailers, while they arrive.
  @exclusivity(unchecked) var section = HTTP2FieldSection()
  /// True once the delegate was told of the request.
  var isBegun = false
  /// True once the head is complete.
  var hasHead = false
  /// True if the method is HEAD, so that the response has no body.
  var isHead = false
  /// True once the peer has sent END_STREAM.
  var isRemoteEnded = false
  /// Bytes of the body that the delegate has got and not yet consumed.
  var unconsumed = 0

  /// True once the response's head was given to nghttp2.
  var hasResponded = false
  /// True once END_STREAM was sent.
  var isLocalEnded = false
  /// True if a body is to be sent: what is written for others is dropped.
  var hasBody = false
  /// Bytes that wait for nghttp2 to fetch them.
  @exclusivity(unchecked) var outgoing = HTTP2OutgoingBody()
  /// True if no more will be written.
  var isFinished = false
  /// What follows the body.
  var trailers = HTTPFields()
  /// True while nghttp2 waits for data of this stream.
  var isDeferred = false
  /// True from when the high-water mark was passed until the delegate is told that it may write again.
  var isFull = false

  /// True if a reset of this stream is not the peer's doing, or was charged already.
  var isResetSettled = false
}
