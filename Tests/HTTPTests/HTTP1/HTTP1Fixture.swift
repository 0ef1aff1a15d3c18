@testable import HTTP

/// Runs a body with the bytes of a text.
func withBytes<T, Failure: Error>(
  _ text: String, _ body: (UnsafeRawBufferPointer) throws(Failure) -> T
) throws(Failure) -> T {
  try withBytes(Array(text.utf8), body)
}

func withBytes<T, Failure: Error>(
  _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Failure) -> T
) throws(Failure) -> T {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { buffer.deallocate() }
  buffer.copyBytes(from: bytes)
  return try body(UnsafeRawBufferPointer(buffer))
}

/// Parses one request that is there in full. Nil if it is not complete.
func parseRequest(
  _ text: String, limits: HTTPHeadLimits = HTTPHeadLimits()
) throws(HTTP1Error) -> (head: HTTP1RequestHead, length: Int)? {
  var parser = HTTP1RequestParser(limits: limits)
  return try withBytes(text) { bytes throws(HTTP1Error) in try parser.parse(bytes) }
}

/// The status that a request is refused with; nil if it is taken, or not complete.
func refusal(_ text: String, limits: HTTPHeadLimits = HTTPHeadLimits()) -> Int? {
  do throws(HTTP1Error) {
    _ = try parseRequest(text, limits: limits)
    return nil
  } catch {
    return error.status.code
  }
}

/// The head of a request with these lines, CR LF behind each and `Host` in front if there is none.
func request(_ requestLine: String, _ lines: String..., host: Bool = true) -> String {
  requestLine + "\r\n" + (host ? "Host: a.example\r\n" : "") + lines.map { $0 + "\r\n" }.joined() + "\r\n"
}

func parseResponse(
  _ text: String, to method: HTTPMethod = .get, limits: HTTPHeadLimits = HTTPHeadLimits()
) throws(HTTP1Error) -> (head: HTTP1ResponseHead, length: Int)? {
  var parser = HTTP1ResponseParser(limits: limits)
  return try withBytes(text) { bytes throws(HTTP1Error) in try parser.parse(bytes, requestMethod: method) }
}

/// What became of a body.
struct DecodedBody: Equatable {
  var data: [UInt8] = []
  var trailers: HTTPFields?
  /// Bytes behind the body.
  var rest: Int?
  var error: HTTP1Error?

  var text: String { String(decoding: data, as: UTF8.self) }
}

/// Decodes a body that arrives in pieces; a piece of the size 0 is skipped. The rest comes in one piece.
func decode(
  _ bytes: [UInt8], _ framing: BodyFraming, maximumBytes: UInt64? = nil, pieces: [Int] = [],
  trailerLimits: HTTPHeadLimits = HTTPHeadLimits()
) -> DecodedBody {
  var decoder = HTTP1BodyDecoder(framing, maximumBytes: maximumBytes, trailerLimits: trailerLimits)
  var result = DecodedBody()
  var start = 0
  var pieces = pieces[...]
  repeat {
    let end = min(bytes.count, start + (pieces.popFirst() ?? bytes.count))
    var offset = 0
    do throws(HTTP1Error) {
      let isDone = try withBytes(Array(bytes[start..<end])) { input throws(HTTP1Error) in
        while true {
          switch try decoder.next(input, from: &offset) {
          case .data(let range): result.data += input[range]
          case .needsMore: return false
          case .end(let trailers):
            result.trailers = trailers
            return true
          }
        }
      }
      if isDone {
        result.rest = bytes.count - start - offset
        return result
      }
      precondition(offset == end - start, "the decoder wants more but has not used what it got")
    } catch {
      result.error = error
      return result
    }
    start = end
  } while start < bytes.count
  return result
}

func decode(_ text: String, _ framing: BodyFraming = .chunked, maximumBytes: UInt64? = nil, pieces: [Int] = [])
  -> DecodedBody
{
  decode(Array(text.utf8), framing, maximumBytes: maximumBytes, pieces: pieces)
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
