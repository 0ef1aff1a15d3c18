import HTTP

/// A form in which a packet can be had.
enum PacketForm: Hashable, Sendable {
  /// Signature, timestamp and DNS packet: what clients that check signatures want, and the default.
  case payload
  /// The fields that `pubky resolve --json` writes.
  case json
  /// A zone in master file format, as `text/dns` (RFC 4027) or, where that is what was asked for, `text/plain`.
  case zone(isPlainText: Bool)

  /// The media type.
  var contentType: String {
    switch self {
    case .payload: "application/pkarr.org/relays#payload"
    case .json: "application/json"
    case .zone(let isPlainText): isPlainText ? "text/plain; charset=utf-8" : "text/dns; charset=utf-8"
    }
  }

  /// What its entity tag ends with: each form has its own.
  var tagSuffix: String {
    switch self {
    case .payload: ""
    case .json: "-json"
    case .zone: "-dns"
    }
  }

  /// What stands for each form in a choice; nobody could name the payload's own type, which is none that HTTP knows.
  private static let offers: [(type: String, form: PacketForm)] = [
    ("application/octet-stream", .payload), ("application/json", .json),
    ("text/dns;charset=utf-8", .zone(isPlainText: false)),
    ("text/plain;charset=utf-8", .zone(isPlainText: true)),
  ]

  /// The form that a request with these fields prefers (RFC 9110 §12.5.1).
  ///
  /// Only who likes JSON or a text form better than all else gets it: a wildcard means the payload, as in relays that know
  /// nothing else, and so does a request that accepts nothing that there is.
  init(preferredBy fields: HTTPFields) {
    // What nearly all send.
    let isAnything = fields.withValue(.accept) { $0.elementsEqual("*/*".utf8) } ?? true
    guard !isAnything, let accept = fields.joined(.accept) else {
      self = .payload
      return
    }
    let text = accept.lowercased()
    let named = Self.offers.filter { $0.form == .payload || text.contains($0.type.prefix { $0 != ";" }) }
    let best = HTTPAccept.best(of: named.map(\.type), accept: accept)
    self = named.first { $0.type == best }?.form ?? .payload
  }
}
