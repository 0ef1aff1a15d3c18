import Addresses

/// What a proxy says in front of a connection, or of a datagram, about who the client is (PROXY protocol, version 2).
///
/// Believe it only if it comes from a proxy of one's own: anybody can write it.
public struct ProxyHeader: Hashable, Sendable {
  /// Where the client is; nil if the proxy speaks for itself (`LOCAL`), or does not say: then the other end is the client.
  public let client: Endpoint?
  /// Bytes of the header.
  public let byteCount: Int

  /// Bytes that tell how long the whole header is.
  public static let fixedLength = 16
  /// A header that is longer is refused. The addresses take 36 bytes at most; the rest are notes of the proxy.
  public static let maximumLength = 1024

  /// The bytes that each header begins with.
  private static let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

  /// How long the header is whose first 16 bytes these are; nil if they are no such bytes.
  public static func length(fixed bytes: RawSpan) -> Int? {
    guard bytes.byteCount >= fixedLength, signature.indices.allSatisfy({ byte(bytes, $0) == signature[$0] }),
      // Version 2, and LOCAL or PROXY.
      byte(bytes, 12) >> 4 == 2, byte(bytes, 12) & 15 <= 1
    else { return nil }
    let length = fixedLength + Int(byte(bytes, 14)) << 8 + Int(byte(bytes, 15))
    return length <= maximumLength ? length : nil
  }

  /// Reads the header at the front of bytes; nil if there is none, or one that is cut or malformed.
  public init?(_ bytes: RawSpan) {
    guard let length = Self.length(fixed: bytes), bytes.byteCount >= length else { return nil }
    byteCount = length
    guard Self.byte(bytes, 12) & 15 == 1 else {
      client = nil
      return
    }
    switch Self.byte(bytes, 13) >> 4 {
    case 1:
      guard length >= Self.fixedLength + 12 else { return nil }
      client = Self.endpoint(bytes, addressLength: 4, portOffset: 8)
    case 2:
      guard length >= Self.fixedLength + 36 else { return nil }
      client = Self.endpoint(bytes, addressLength: 16, portOffset: 32)
    // Not told, or a Unix socket.
    case 0, 3: client = nil
    default: return nil
    }
  }

  private static func endpoint(_ bytes: RawSpan, addressLength: Int, portOffset: Int) -> Endpoint? {
    let address = (0..<addressLength).map { byte(bytes, fixedLength + $0) }
    let port = UInt16(byte(bytes, fixedLength + portOffset)) << 8 | UInt16(byte(bytes, fixedLength + portOffset + 1))
    return IPAddress(bytes: address).map { Endpoint($0, port: port) }
  }

  private static func byte(_ bytes: RawSpan, _ offset: Int) -> UInt8 {
    bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }
}

/// Reads the header at the front of a connection, and not a byte more.
public struct ProxyHeaderReader: Sendable {
  /// What is known by now.
  public enum Progress: Hashable, Sendable {
    /// More must come.
    case incomplete
    /// This is it.
    case complete(ProxyHeader)
  }

  /// Bytes that are no header, or the end before there was one.
  public struct Malformed: Error, Hashable, Sendable {}

  private var bytes: [UInt8] = []

  /// Has read nothing.
  public init() {}

  /// Reads what is there. Throws ``Malformed``, or what the socket throws.
  public mutating func read(from socket: StreamSocket) throws -> Progress {
    while true {
      let wanted: Int
      if bytes.count < ProxyHeader.fixedLength {
        wanted = ProxyHeader.fixedLength
      } else {
        guard let length = ProxyHeader.length(fixed: bytes.span.bytes) else { throw Malformed() }
        wanted = length
      }
      if bytes.count >= wanted, bytes.count >= ProxyHeader.fixedLength {
        guard let header = ProxyHeader(bytes.span.bytes) else { throw Malformed() }
        return .complete(header)
      }
      var piece = [UInt8](repeating: 0, count: wanted - bytes.count)
      guard let count = try piece.withUnsafeMutableBytes({ try socket.read(into: $0) }) else { return .incomplete }
      if count == 0 { throw Malformed() }
      bytes += piece[..<count]
    }
  }
}
