/// One request and its response within a session.
final class HTTP2Stream {
  let id: Int32

  // The request's head while it arrives.
  var method: HTTPMethod?
  var path: String?
  var scheme: String?
  var authority: String?
  var fields = HTTPFields()
  var headBytes = 0
  /// The head is larger than allowed; what still comes of it is dropped.
  var isTooLarge = false
  /// Something in the head is not what HTTP allows.
  var isMalformed = false
  var hasBegun = false
  /// The client will send no more.
  var hasInputEnded = false

  // The response's body.
  private var pieces: [[UInt8]] = []
  private var nextPiece = 0
  private var offset = 0
  /// Bytes that wait.
  private(set) var waitingBytes = 0
  var hasOutputEnded = false
  /// nghttp2 has asked for bytes when there were none.
  var isDeferred = false
  /// Bytes given to nghttp2 since the owner was told that there is room.
  var isAboveHighWater = false

  init(id: Int32) { self.id = id }

  func append(_ bytes: [UInt8]) {
    if bytes.isEmpty { return }
    pieces.append(bytes)
    waitingBytes += bytes.count
  }

  /// Moves up to `room` waiting bytes to `destination` and returns their number.
  func take(into destination: UnsafeMutableRawPointer, room: Int) -> Int {
    var taken = 0
    while taken < room, nextPiece < pieces.count {
      let count = min(room - taken, pieces[nextPiece].count - offset)
      pieces[nextPiece].withUnsafeBytes {
        (destination + taken).copyMemory(from: $0.baseAddress! + offset, byteCount: count)
      }
      taken += count
      offset += count
      if offset == pieces[nextPiece].count {
        pieces[nextPiece] = []
        nextPiece += 1
        offset = 0
      }
    }
    if nextPiece == pieces.count {
      pieces.removeAll(keepingCapacity: true)
      nextPiece = 0
    }
    waitingBytes -= taken
    return taken
  }

  /// The head once it is complete; nil if it is no request (RFC 9113 §8.3.1).
  func head(endsStream: Bool) -> HTTP2RequestHead? {
    guard !isMalformed, let method, let path, let scheme, path.first == "/" || (path == "*" && method == .options)
    else {
      return nil
    }
    let host = fields[.host]
    // Two names for the host, one for us and one for who trusts the other: refused.
    if let host, let authority, host != authority { return nil }
    var length: UInt64?
    if let text = fields[.contentLength] {
      guard let number = UInt64(text) else { return nil }
      length = number
    }
    fields.remove(.host)
    return HTTP2RequestHead(
      method: method, target: HTTPTarget(path), authority: authority ?? host, scheme: scheme, fields: fields,
      contentLength: length, endsStream: endsStream)
  }
}
