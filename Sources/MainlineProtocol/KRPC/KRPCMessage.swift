import Bencode

/// A KRPC message (BEP 5) as ranges over the datagram that holds it: parsing copies nothing.
///
/// A known field of the wrong type or size is absent; what a message without it means is decided where it is needed
/// (a query without `id` is answered with error 203, a response without one is dropped).
struct KRPCMessage: Sendable {
  /// The three kinds: `y` = `q`, `r`, `e`.
  enum Kind: Sendable {
    case query, response, error
  }

  /// Fields that make a put a mutable one, present in whatever form.
  struct Mentions: OptionSet, Sendable {
    let rawValue: UInt8
    static let key = Mentions(rawValue: 1)
    static let signature = Mentions(rawValue: 2)
    static let seq = Mentions(rawValue: 4)
    static let cas = Mentions(rawValue: 8)
    static let salt = Mentions(rawValue: 16)
  }

  var kind = Kind.query
  /// `t`, 1…64 bytes.
  var transaction = ByteRange.absent
  /// `q`
  var method = ByteRange.absent
  /// `v` of the envelope: the sender's program.
  var version = ByteRange.absent
  /// `ip`: our endpoint as the sender sees it.
  var observedEndpoint = ByteRange.absent
  /// `ro` ≠ 0 (BEP 43).
  var isReadOnly = false
  /// `e`, the whole list.
  var error = ByteRange.absent
  /// True if there is an `a` (in a query) or `r` (in a response) dictionary.
  var hasBody = false
  /// The arguments of a query or the results of a response.
  var body = Body()

  /// Arguments (`a`) and results (`r`) share their field names.
  struct Body: Sendable {
    var id = ByteRange.absent
    var target = ByteRange.absent
    var infoHash = ByteRange.absent
    var token = ByteRange.absent
    var nodes = ByteRange.absent
    var nodes6 = ByteRange.absent
    /// `v`: the bencoded value, verbatim.
    var value = ByteRange.absent
    var key = ByteRange.absent
    var signature = ByteRange.absent
    var salt = ByteRange.absent
    /// `values`, the whole list.
    var values = ByteRange.absent
    /// `want`, the whole list.
    var want = ByteRange.absent
    var samples = ByteRange.absent
    var seq: Int64?
    var cas: Int64?
    var port: Int64?
    var impliedPort: Int64?
    var mentions: Mentions = []
  }

  /// Longest transaction id that is echoed.
  static let maximumTransactionSize: UInt16 = 64
}

extension KRPCMessage {
  /// The error code and text of an error message; nil if `e` is not [integer, string].
  func errorDetails(in datagram: RawSpan) -> (code: Int, text: ByteRange)? {
    guard error.isPresent else { return nil }
    var scanner = BencodeScanner(datagram.extracting(error))
    guard (try? scanner.take(UInt8(ascii: "l"))) == true, let code = try? scanner.readInteger() else { return nil }
    let text = (try? scanner.readString()) ?? .absent
    return (
      Int(truncatingIfNeeded: code), ByteRange(offset: Int(text.offset) + Int(error.offset), count: Int(text.count))
    )
  }

  /// Calls `body` with each string of a list; stops at what is no string.
  static func forEachString(of list: ByteRange, in datagram: RawSpan, _ body: (RawSpan) -> Void) {
    guard list.isPresent else { return }
    var scanner = BencodeScanner(datagram.extracting(list))
    guard (try? scanner.take(UInt8(ascii: "l"))) == true else { return }
    while let range = try? scanner.readString() { body(scanner.bytes.extracting(range)) }
  }
}
