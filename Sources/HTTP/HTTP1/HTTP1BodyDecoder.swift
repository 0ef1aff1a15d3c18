/// Takes the framing off a body (RFC 9112 §6, §7.1).
///
///     while true {
///       switch try decoder.next(input, from: &offset) {
///       case .data(let range): …                // bytes of the body, where they lie in the input
///       case .needsMore: …                      // all of the input is used up: read more, begin again at offset 0
///       case .end(let trailers): …              // input from `offset` on belongs to the next message
///       }
///     }
///
/// Nothing of the input has to be kept between calls. After an error the decoder cannot be used any further.
struct HTTP1BodyDecoder: Sendable {
  /// What the decoder has found.
  enum Event: Equatable {
    /// Bytes of the body, a range of the input; never empty.
    case data(Range<Int>)
    /// The input is used up, and the body goes on.
    case needsMore
    /// The body is complete. Trailer fields that have no place there are left out.
    case end(trailers: HTTPFields)
  }

  private enum State {
    case length, untilClose, tooLarge, ended
    case size, padding, chunkExtension, sizeLF, data, dataCR, dataLF, trailers
  }

  /// Bytes of chunk extensions in a whole body; nobody has a use for them.
  static let maximumExtensionBytes = 4096

  private var state: State
  /// Bytes that are left of the body, or of the chunk.
  private var remaining: UInt64 = 0
  /// Bytes that the body may still have.
  private var budget: UInt64
  private var sizeDigits = 0
  private var extensionBytes = 0
  private var trailers: TrailerReader
  private var trailerFields = HTTPFields()

  /// Begins a body. `maximumBytes` limits the body itself, without its framing.
  init(_ framing: BodyFraming, maximumBytes: UInt64? = nil, trailerLimits: HTTPHeadLimits = HTTPHeadLimits()) {
    budget = maximumBytes ?? .max
    trailers = TrailerReader(limits: trailerLimits)
    switch framing {
    case .none: state = .ended
    case .length(let length):
      remaining = length
      state = length > budget ? .tooLarge : length == 0 ? .ended : .length
    case .chunked: state = .size
    case .untilClose: state = .untilClose
    }
  }

  /// True once the body is complete: ``next(_:from:)`` will say so without more input.
  var hasEnded: Bool {
    if case .ended = state { true } else { false }
  }

  /// Goes on at `offset` and moves it behind what was used.
  ///
  /// Throws 413 as soon as the body is known to be larger than allowed, 431 for large trailers, 400 for broken framing.
  mutating func next(_ input: UnsafeRawBufferPointer, from offset: inout Int) throws(HTTP1Error) -> Event {
    while true {
      switch state {
      case .ended: return .end(trailers: trailerFields)
      case .tooLarge: throw Self.tooLarge
      case .length, .data:
        guard let range = Self.take(&remaining, input.count, &offset) else { return .needsMore }
        if remaining == 0 { if case .length = state { state = .ended } else { state = .dataCR } }
        return .data(range)
      case .untilClose:
        if budget == 0, offset < input.count { throw Self.tooLarge }
        return Self.take(&budget, input.count, &offset).map { .data($0) } ?? .needsMore
      case .trailers:
        guard let fields = try trailers.read(input, &offset) else { return .needsMore }
        trailerFields = fields
        state = .ended
      default:
        guard offset < input.count else { return .needsMore }
        let byte = input[offset]
        offset += 1
        try step(byte)
      }
    }
  }

  /// The connection closed. Throws if the body was to go on; a body that ends there is complete.
  mutating func finish() throws(HTTP1Error) {
    switch state {
    case .untilClose, .ended: state = .ended
    default: throw .malformed("the connection closed within the body")
    }
  }

  /// Up to `limit` bytes of the input; nil if there are none.
  private static func take(_ limit: inout UInt64, _ end: Int, _ offset: inout Int) -> Range<Int>? {
    let count = min(limit, UInt64(max(0, end - offset)))
    if count == 0 { return nil }
    limit -= count
    let start = offset
    offset += Int(count)
    return start..<offset
  }

  private static let tooLarge = HTTP1Error(.contentTooLarge, "the body is too large")

  // MARK: - Chunks

  /// One byte of the framing: `size [extension] CR LF data CR LF`.
  private mutating func step(_ byte: UInt8) throws(HTTP1Error) {
    switch (state, byte) {
    case (.size, 0x30...0x39): try addDigit(byte - 0x30)
    case (.size, 0x41...0x46): try addDigit(byte - 0x37)
    case (.size, 0x61...0x66): try addDigit(byte - 0x57)
    case (.size, _) where sizeDigits == 0: throw .malformed("a chunk without a size")
    case (.size, 0x0d), (.chunkExtension, 0x0d): state = .sizeLF
    case (.size, UInt8(ascii: ";")), (.padding, UInt8(ascii: ";")): try countExtension(next: .chunkExtension)
    case (.size, 0x20), (.size, 0x09), (.padding, 0x20), (.padding, 0x09): try countExtension(next: .padding)
    case (.chunkExtension, _) where !OctetScan.isControl(byte): try countExtension(next: .chunkExtension)
    case (.sizeLF, 0x0a): try beginChunk()
    case (.dataCR, 0x0d): state = .dataLF
    case (.dataLF, 0x0a): state = .size
    case (.dataCR, _), (.dataLF, _): throw .malformed("a chunk is longer than its size")
    default: throw .malformed("the line with a chunk's size is broken")
    }
  }

  private mutating func addDigit(_ digit: UInt8) throws(HTTP1Error) {
    sizeDigits += 1
    // Leading zeros count: a size needs no more than these digits.
    if sizeDigits > 16 || remaining > UInt64(Int64.max) >> 4 { throw .malformed("a chunk's size is too large") }
    remaining = remaining << 4 | UInt64(digit)
  }

  private mutating func countExtension(next: State) throws(HTTP1Error) {
    extensionBytes += 1
    if extensionBytes > Self.maximumExtensionBytes { throw .malformed("too many chunk extensions") }
    state = next
  }

  private mutating func beginChunk() throws(HTTP1Error) {
    sizeDigits = 0
    if remaining == 0 {
      state = .trailers
      return
    }
    if remaining > budget { throw Self.tooLarge }
    budget -= remaining
    state = .data
  }
}

/// Reads the trailer section behind the last chunk (RFC 9112 §7.1.2): field lines and an empty one.
private struct TrailerReader: Sendable {
  let limits: HTTPHeadLimits
  private var bytes: [UInt8] = []
  private var lines = HTTP1LineReader()
  private var section = HTTP1FieldSection()

  init(limits: HTTPHeadLimits) { self.limits = limits }

  /// Moves `offset` behind what was used; the fields once the section is complete.
  mutating func read(_ input: UnsafeRawBufferPointer, _ offset: inout Int) throws(HTTP1Error) -> HTTPFields? {
    // Mostly there are none.
    if bytes.isEmpty, offset + 2 <= input.count, input[offset] == 0x0d, input[offset + 1] == 0x0a {
      offset += 2
      return HTTPFields()
    }
    let limit = min(limits.maximumBytes, 1 << 30)
    let held = bytes.count
    let added = min(max(0, input.count - offset), max(0, limit - held))
    bytes.append(contentsOf: input[offset..<offset + added])
    if let fields = try parse() {
      offset += lines.lineStart - held
      return fields
    }
    offset += added
    if bytes.count >= limit { throw HTTP1Error(.requestHeaderFieldsTooLarge, "the trailers are too large") }
    return nil
  }

  private mutating func parse() throws(HTTP1Error) -> HTTPFields? {
    // A closure that throws its own type would lose it on the way through the array.
    let result = bytes.withUnsafeBytes { bytes -> Result<HTTPFields?, HTTP1Error> in
      do throws(HTTP1Error) {
        while let line = try lines.next(bytes) {
          if line.isEmpty { return .success(section.fields(copying: bytes).withoutThoseOfHeads) }
          _ = try section.add(line, of: bytes, maximumFields: limits.maximumFields)
        }
        return .success(nil)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
