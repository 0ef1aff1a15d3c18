import EventLoops

/// A body that arrives, piece by piece.
///
/// Who reads slowly makes the other side wait: no more is taken from the network than a few pieces ahead. One task reads
/// at a time; pieces that nobody reads are dropped with the message.
///
///     for try await piece in request.body { … }
public struct HTTPBodyReader: Sendable {
  let pipe: BodyPipe
  /// Released together with the last copy of the reader.
  private let lease: (any AnyObject & Sendable)?

  init(_ pipe: BodyPipe) { self.init(pipe, lease: nil) }

  init(_ pipe: BodyPipe, lease: (any AnyObject & Sendable)?) {
    self.pipe = pipe
    self.lease = lease
  }

  /// A body that is there already.
  public init(_ bytes: [UInt8] = []) { self.init(BodyPipe(bytes)) }

  /// No body.
  static let none = HTTPBodyReader()

  /// Makes reading throw `HTTPError.tooLarge` once more than `maximumBytes` have come. A limit is never raised.
  public func limit(to maximumBytes: UInt64) { pipe.lowerLimit(to: maximumBytes) }

  /// The number of bytes that the other side announced; nil if it did not.
  public var announcedLength: UInt64? { pipe.announcedLength }

  /// The next piece, never empty; nil at the end.
  ///
  /// Throws `HTTPError.connectionClosed` if the body ends too early, `.malformed`, `.tooLarge` if it is longer than the
  /// route allows, `.timedOut` if the other side stalls, and `.connectionClosed` as well if the task is cancelled.
  public func read() async throws(HTTPError) -> [UInt8]? {
    if let ready = pipe.readAtOnce() { return try ready.get() }
    return try await pipe.read()
  }

  /// The whole body.
  ///
  /// Throws `HTTPError.tooLarge` as soon as it is known to be longer than `limit` bytes, and as ``read()``.
  public func collect(upTo limit: Int) async throws(HTTPError) -> [UInt8] {
    if let announcedLength, announcedLength > UInt64(Swift.max(0, limit)) { throw .tooLarge(limit: limit) }
    guard var body = try await read() else { return [] }
    while true {
      if body.count > limit { throw .tooLarge(limit: limit) }
      guard let piece = try await read() else { return body }
      body += piece
    }
  }
}

extension HTTPBodyReader: AsyncSequence {
  /// A piece, never empty.
  public typealias Element = [UInt8]
  /// Why the body could not be read.
  public typealias Failure = HTTPError

  /// Waits for pieces.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let body: HTTPBodyReader

    /// The next piece; see ``HTTPBodyReader/read()``.
    public mutating func next() async throws(HTTPError) -> [UInt8]? { try await body.read() }
  }

  /// Begins to read, or goes on.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}

/// The pieces of a body on their way from a connection to who reads it. Touched on the connection's loop only; a body that
/// was complete from the start has no loop.
final class BodyPipe: @unchecked Sendable {
  /// Bytes that wait for the reader before the connection is asked to pause.
  static let highWater = 64 << 10

  let loop: EventLoop?
  let announcedLength: UInt64?
  private var pieces: [[UInt8]] = []
  private var nextPiece = 0
  private(set) var bufferedBytes = 0
  private var hasEnded = false
  private var failure: HTTPError?
  private var reader: UnsafeContinuation<Result<[UInt8]?, HTTPError>, Never>?
  private var limit = UInt64.max
  private var deliveredBytes: UInt64 = 0
  /// Called when the reader has begun to read, and when it has taken so much that more may come.
  var onDemand: (() -> Void)?
  /// Called with the number of bytes that the reader has taken.
  var onTaken: ((Int) -> Void)?

  init(on loop: EventLoop, announcedLength: UInt64?) {
    self.loop = loop
    self.announcedLength = announcedLength
  }

  init(_ bytes: [UInt8]) {
    loop = nil
    announcedLength = UInt64(bytes.count)
    if !bytes.isEmpty {
      pieces = [bytes]
      bufferedBytes = bytes.count
    }
    hasEnded = true
  }

  /// True while the connection should not deliver more.
  var isFull: Bool { bufferedBytes >= Self.highWater }

  /// True once nothing more can arrive.
  var isComplete: Bool { hasEnded || failure != nil }

  /// Fails once more bytes than this have come, or are announced.
  func lowerLimit(to bytes: UInt64) {
    guard let loop, !loop.isOnLoop else { return applyLimit(bytes) }
    loop.execute { self.applyLimit(bytes) }
  }

  private func applyLimit(_ bytes: UInt64) {
    limit = min(limit, bytes)
    guard max(deliveredBytes, announcedLength ?? 0) > limit else { return }
    // All of it may be here already.
    hasEnded = false
    fail(.tooLarge(limit: Int(clamping: limit)))
  }

  // MARK: - The connection's side

  func deliver(_ bytes: UnsafeRawBufferPointer) {
    if bytes.isEmpty || isComplete { return }
    deliveredBytes += UInt64(bytes.count)
    if deliveredBytes > limit { return fail(.tooLarge(limit: Int(clamping: limit))) }
    let piece = [UInt8](bytes)
    if let reader {
      self.reader = nil
      onTaken?(piece.count)
      return reader.resume(returning: .success(piece))
    }
    pieces.append(piece)
    bufferedBytes += piece.count
  }

  func finish() {
    if isComplete { return }
    hasEnded = true
    onDemand = nil
    if pieces.isEmpty { onTaken = nil }
    reader?.resume(returning: .success(nil))
    reader = nil
  }

  /// What was delivered before is dropped: a message that broke off must not look whole.
  func fail(_ error: HTTPError) {
    if isComplete { return }
    failure = error
    onDemand = nil
    onTaken = nil
    pieces = []
    nextPiece = 0
    bufferedBytes = 0
    reader?.resume(returning: .failure(error))
    reader = nil
  }

  // MARK: - The reader's side

  /// What there is for who reads on the loop; nil if he must wait.
  func readAtOnce() -> Result<[UInt8]?, HTTPError>? { loop?.isOnLoop ?? true ? takeReady() : nil }

  /// Waits if need be.
  func read() async throws(HTTPError) -> [UInt8]? {
    guard let loop else { return nil }
    let result = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        if loop.isOnLoop { wait(continuation) } else { loop.execute { self.wait(continuation) } }
      }
    } onCancel: {
      loop.execute { self.fail(.connectionClosed) }
    }
    return try result.get()
  }

  private func wait(_ continuation: UnsafeContinuation<Result<[UInt8]?, HTTPError>, Never>) {
    if let ready = takeReady() { return continuation.resume(returning: ready) }
    precondition(reader == nil, "one task reads a body at a time")
    reader = continuation
    onDemand?()
  }

  private func takeReady() -> Result<[UInt8]?, HTTPError>? {
    if let failure { return .failure(failure) }
    if let piece = takePiece() {
      if !hasEnded, !isFull { onDemand?() }
      return .success(piece)
    }
    return hasEnded ? .success(nil) : nil
  }

  private func takePiece() -> [UInt8]? {
    guard nextPiece < pieces.count else { return nil }
    let piece = pieces[nextPiece]
    pieces[nextPiece] = []
    nextPiece += 1
    if nextPiece == pieces.count {
      pieces.removeAll()
      nextPiece = 0
    }
    bufferedBytes -= piece.count
    onTaken?(piece.count)
    return piece
  }
}
