import CGnuTLS
import EventLoops
import Glibc

/// Why TLS failed.
public struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of failure it is, for programs.
  public enum Reason: Hashable, Sendable {
    /// A file, key, name or setting that this side was given cannot be used.
    case configuration
    /// The peer is not the expected one: its certificate or key was refused, and it has been told so.
    case untrustedPeer
    /// The peer refused, with this alert (RFC 8446 §6.2).
    case alertReceived(UInt8)
    /// The peer closed the connection without a word, in the handshake or before this side was done.
    case closedByPeer
    /// The socket failed, with this error number of the system.
    case socket(Int32)
    /// The peer broke the protocol, the two have nothing in common, or GnuTLS failed.
    case handshakeOrRecord
  }

  /// What kind of failure it is.
  public let reason: Reason
  /// GnuTLS's number (below zero), where there is one.
  public let code: Int32?
  /// One line for people: what was wrong, and with whom.
  public let description: String

  init(_ reason: Reason, code: Int32? = nil, _ description: String) {
    self.reason = reason
    self.code = code
    self.description = description
  }

  /// What GnuTLS says about `code`, after what was tried.
  init(_ reason: Reason, code: Int32, doing operation: String) {
    self.init(reason, code: code, "\(operation): \(Self.text(of: code))")
  }

  /// A system call on a socket that failed.
  init(socketError code: Int32, gnutls: Int32? = nil, doing operation: String) {
    self.init(
      .socket(code), code: gnutls, "TLS: \(SystemError(code: code, operation: operation).description)")
  }

  /// GnuTLS's own words for a code, without its full stop.
  static func text(of code: Int32) -> String {
    var text = String(cString: gnutls_strerror(code))
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}

/// Throws what GnuTLS says if `code` is negative.
func require(_ code: Int32, _ operation: @autoclosure () -> String) throws(TLSError) {
  if code < 0 { throw TLSError(.configuration, code: code, doing: operation()) }
}

/// Lends bytes to GnuTLS as its datum; the copy is wiped afterwards, since it may be a key.
func withDatum<R>(_ bytes: [UInt8], _ body: (inout gnutls_datum_t) throws(TLSError) -> R) throws(TLSError) -> R {
  let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytes.count))
  copy.initialize(repeating: 0)
  defer {
    gnutls_memset(copy.baseAddress, 0, copy.count)
    copy.deallocate()
  }
  _ = copy.update(fromContentsOf: bytes)
  var datum = gnutls_datum_t(data: copy.baseAddress, size: UInt32(bytes.count))
  return try body(&datum)
}

/// Takes what GnuTLS has allocated: copies, wipes and frees it.
func taking(_ datum: gnutls_datum_t) -> [UInt8] {
  guard let data = datum.data else { return [] }
  defer {
    gnutls_memset(data, 0, Int(datum.size))
    gnutls_release(data)
  }
  return [UInt8](UnsafeBufferPointer(start: data, count: Int(datum.size)))
}
