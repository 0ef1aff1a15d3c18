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
    return forwardedFor(fields) ?? fields[.xRealIP].flatMap { IPAddress(trimmed($0[...])) } ?? forwarded(fields)
      ?? peer
  }

  private static func forwardedFor(_ fields: HTTPFields) -> IPAddress? {
    for list in fields.values(.xForwardedFor) {
      for entry in list.split(separator: ",") {
        if let address = IPAddress(trimmed(entry)) { return address }
      }
    }
    return nil
  }

  private static func forwarded(_ fields: HTTPFields) -> IPAddress? {
    for list in fields.values(.forwarded) {
      for element in split(list[...], at: ",") {
        for pair in split(element, at: ";") {
          let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
          guard parts.count == 2, trimmed(parts[0]).lowercased() == "for" else { continue }
          if let address = node(unquoted(trimmed(parts[1]))) { return address }
        }
      }
    }
    return nil
  }

  /// The address of a `node` (RFC 7239 §6): with or without a port, an IPv6 address in brackets or not.
  private static func node(_ text: String) -> IPAddress? {
    if let address = IPAddress(text) { return address }
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      return IPAddress(text[text.index(after: text.startIndex)..<end])
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let address = IPAddress(text[..<colon])
    return address?.isIPv4 == true ? address : nil
  }

  /// The parts between separators that stand outside of quotes (RFC 9110 §5.6.4).
  private static func split(_ text: Substring, at separator: Character) -> [Substring] {
    var parts: [Substring] = []
    var start = text.startIndex
    var isQuoted = false
    var isEscaped = false
    for index in text.indices {
      let character = text[index]
      if isEscaped {
        isEscaped = false
      } else if isQuoted, character == "\\" {
        isEscaped = true
      } else if character == "\"" {
        isQuoted.toggle()
      } else if character == separator, !isQuoted {
        parts.append(text[start..<index])
        start = text.index(after: index)
      }
    }
    return parts + [text[start...]]
  }

  private static func unquoted(_ text: Substring) -> String {
    guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return String(text) }
    var content = ""
    var isEscaped = false
    for character in text.dropFirst().dropLast() {
      if character == "\\", !isEscaped {
        isEscaped = true
      } else {
        content.append(character)
        isEscaped = false
      }
    }
    return content
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return text
  }
}
