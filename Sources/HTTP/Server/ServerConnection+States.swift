extension ServerConnection {
  /// The protocol that is spoken.
  enum Engine {
    case handshake
    /// Without ALPN the first bytes decide.
    case undecided([UInt8])
    case http1(HTTP1Server)
    case http2(HTTP2Server)
    /// All is said; what still comes is dropped, so that the last response is not lost to a reset.
    case lingering
    case closed
  }

  /// What the connection waits for, and so how long it may.
  enum Waiting {
    case handshake, idle, head, body, handler, writing, lingering
  }
}
