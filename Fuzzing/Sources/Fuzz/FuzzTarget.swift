/// One thing that hostile bytes reach: what to run for each input, and the longest input worth trying.
struct FuzzTarget: Sendable {
  /// What it is called on the command line and below `corpus/`.
  let name: String
  /// Longest input in bytes.
  let maximumLength: Int
  /// Runs one input. A trap, a sanitizer report or a failed ``require(_:_:)`` is a find.
  let run: @Sendable (UnsafeRawBufferPointer) -> Void

  /// All targets, in the order in which `scripts/fuzz` runs them.
  static let all: [FuzzTarget] = [
    .keyText, .bencode, .krpc, .node, .dns, .zone, .signedPacket, .endpoints, .signatureGroup, .httpRequest,
    .httpResponse, .http2Session, .configuration, .dnsQuery, .dnsUpstreamReply, .dnsServer,
    .republishSource,
  ]
}

/// Ends the run with a find if something that must hold for every input does not.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fatalError(message()) }
}

/// Calls `body` with a copy of bytes in memory of its own, so that reading behind their end is noticed.
func withCopy<Result, Failure: Error>(
  of bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
  let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { copy.deallocate() }
  copy.copyBytes(from: bytes)
  return try body(UnsafeRawBufferPointer(copy))
}
