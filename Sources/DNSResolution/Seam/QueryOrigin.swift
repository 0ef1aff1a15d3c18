import Addresses

/// Who asked, and by which way: what limits and access rules go by.
public struct QueryOrigin: Hashable, Sendable {
  /// How a query came in.
  public enum Transport: UInt8, Hashable, Sendable, CaseIterable {
    /// Datagrams: the only transport on which a sender can be forged and an answer be cut.
    case udp
    /// RFC 7766.
    case tcp
    /// DNS over TLS (RFC 7858).
    case tls
    /// DNS over HTTPS (RFC 8484), behind a proxy or not.
    case https

    /// True if answers are padded on request (RFC 8467).
    public var isEncrypted: Bool { self == .tls || self == .https }
    /// True if the transport is a connection of DNS messages, to which the keepalive option belongs (RFC 7828).
    public var isStream: Bool { self == .tcp || self == .tls }
  }

  /// Address and port of the client; behind a trusted proxy, those that the proxy told.
  public var client: Endpoint
  /// The transport.
  public var transport: Transport

  /// Joins the two.
  @inline(__always)
  public init(_ client: Endpoint, _ transport: Transport) {
    self.client = client
    self.transport = transport
  }
}
