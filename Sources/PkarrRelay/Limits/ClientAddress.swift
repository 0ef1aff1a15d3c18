import Addresses
import HTTP

/// Who a request comes from.
enum ClientAddress {
  /// The address of the client, if it can be told.
  ///
  /// Behind a proxy the first that yields an address of: `x-forwarded-for` (the first entry of its list that is one),
  /// `x-real-ip`, `forwarded` (RFC 7239, the first `for` that is one), and the other end of the connection. Without a
  /// proxy only the last: anyone can write the others.
  static func find(in fields: HTTPFields, peer: IPAddress?, behindProxy: Bool) -> IPAddress? {
    guard behindProxy else { return peer }
    return forwardedFor(fields) ?? realIP(fields) ?? forwarded(fields) ?? peer
  }

  private static func forwardedFor(_ fields: HTTPFields) -> IPAddress? {
    for list in fields.values(.xForwardedFor) {
      for entry in list.utf8.split(separator: UInt8(ascii: ",")) {
        if let address = IPAddress(Substring(trimmed(entry))) { return address }
      }
    }
    return nil
  }

  private static func realIP(_ fields: HTTPFields) -> IPAddress? {
    fields[.xRealIP].flatMap { IPAddress(Substring(trimmed($0.utf8[...]))) }
  }

  private static func forwarded(_ fields: HTTPFields) -> IPAddress? {
    for list in fields.values(.forwarded) {
      for element in split(list.utf8[...], at: UInt8(ascii: ",")) {
        for pair in split(element, at: UInt8(ascii: ";")) {
          let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
          guard parts.count == 2, Substring(trimmed(parts[0])).lowercased() == "for" else { continue }
          if let address = node(unquoted(trimmed(parts[1]))) { return address }
        }
      }
    }
    return nil
  }

  /// The address of a `node` (RFC 7239 §6): with or without a port, an IPv6 address in brackets or not.
  private static func node(_ text: String) -> IPAddress? {
    if let address = IPAddress(text) { return address }
    if text.utf8.first == UInt8(ascii: "["), let end = text.utf8.firstIndex(of: UInt8(ascii: "]")) {
      return IPAddress(text[text.index(after: text.startIndex)..<end])
    }
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
    let address = IPAddress(text[..<colon])
    return address?.isIPv4 == true ? address : nil
  }

  /// The parts between separators that stand outside of quotes (RFC 9110 §5.6.4).
  private static func split(_ text: Substring.UTF8View, at separator: UInt8) -> [Substring.UTF8View] {
    var isQuoted = false
    var isEscaped = false
    return text.split(omittingEmptySubsequences: true) { byte in
      if isEscaped {
        isEscaped = false
      } else if isQuoted, byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
      }
      return byte == separator && !isQuoted
    }
  }

  private static func unquoted(_ text: Substring.UTF8View) -> String {
    let quote = UInt8(ascii: "\"")
    guard text.count >= 2, text.first == quote, text.last == quote else { return String(Substring(text)) }
    var content: [UInt8] = []
    var isEscaped = false
    for byte in text.dropFirst().dropLast() {
      if byte == UInt8(ascii: "\\"), !isEscaped {
        isEscaped = true
      } else {
        content.append(byte)
        isEscaped = false
      }
    }
    return String(decoding: content, as: UTF8.self)
  }

  private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    let start = text.drop { $0 == 0x20 || $0 == 0x09 }
    guard let end = start.lastIndex(where: { $0 != 0x20 && $0 != 0x09 }) else { return start[..<start.startIndex] }
    return start[...end]
  }
}
