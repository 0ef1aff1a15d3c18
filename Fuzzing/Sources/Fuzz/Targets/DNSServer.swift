import Addresses
import Cryptography
import DNSResolution
import DNSWire
import EventLoops
import HTTP
import WireFormat

@testable import PKDNS

extension FuzzTarget {
  /// What reaches the DNS server around its resolver: answers of name servers, streams of clients, answers that are told over
  /// HTTP, what stands in addresses and fields, and what proxies say in front (255). The first byte says which.
  static let dnsServer = FuzzTarget(name: "dns-server", maximumLength: 2048) { input in
    guard let kind = input.first else { return }
    let bytes = Array(input.dropFirst())
    if kind == 255 { return checkProxyHeader(bytes) }
    switch kind % 4 {
    case 0: checkForwarding(bytes)
    case 1: checkFrames(bytes)
    case 2: checkAnswer(bytes)
    default: checkTexts(String(decoding: bytes, as: UTF8.self))
    }
  }

  /// A header is as long as it says, and lies within what has come.
  private static func checkProxyHeader(_ bytes: [UInt8]) {
    withCopy(of: bytes) { copy in
      let span = RawSpan(_unsafeBytes: copy)
      guard let header = ProxyHeader(span) else { return }
      require(header.byteCount <= min(bytes.count, ProxyHeader.maximumLength), "a header beyond its bytes")
      require(ProxyHeader.length(fixed: span) == header.byteCount, "two lengths of one header")
    }
  }

  private static let servers = [
    UpstreamServer(Endpoint(IPAddress(192, 0, 2, 1), port: 53)),
    UpstreamServer(Endpoint(IPAddress(192, 0, 2, 2), port: 853), .tls(name: nil)),
  ]

  /// Messages for attempts, as they are and with the identifier and question that make them answers.
  private static func checkForwarding(_ bytes: [UInt8]) {
    var forwarding = UpstreamForwarding(servers, random: RandomSource(seed: 1))
    var sent: [(attempt: UInt64, bytes: [UInt8])] = []
    var finished = 0
    var now: UInt64 = 1
    func settle() {
      while let action = forwarding.takeAction() {
        switch action {
        case .send(let attempt, _, _, let bytes): sent.append((attempt, bytes))
        case .finish: finished += 1
        case .close: break
        }
      }
    }
    guard let name = try? DomainName("www.example") else { return }
    forwarding.begin(1, UpstreamQuestion(name, .a), now: now)
    settle()
    var index = 0
    for round in 0..<8 where index < sent.count {
      let attempt = sent[index]
      var message = bytes
      if round % 2 == 1, message.count >= 29 {
        message.replaceSubrange(0..<2, with: attempt.bytes[0..<2])
        message[2] = message[2] & 7 | 0x80
        message.replaceSubrange(4..<6, with: [0, 1])
        message.replaceSubrange(12..<29, with: attempt.bytes[12..<29])
        index += 1
      }
      withCopy(of: message) { copy in _ = forwarding.received(attempt.attempt, RawSpan(_unsafeBytes: copy), now: now) }
      settle()
      now += 100_000_000
      forwarding.tick(now: now)
      settle()
    }
    forwarding.tick(now: now + 60_000_000_000)
    settle()
    forwarding.tick(now: now + 120_000_000_000)
    settle()
    require(finished == 1, "a question ended \(finished) times")
    require(forwarding.questionCount == 0 && forwarding.attemptCount == 0, "something is left of a question")
    require(sent.count <= 2 * UpstreamPolicy().maximumAttempts + 2, "\(sent.count) attempts")
  }

  /// A stream in pieces gives the same messages as in one.
  private static func checkFrames(_ bytes: [UInt8]) {
    func messages(inPiecesOf size: Int) -> [[UInt8]] {
      var frames = StreamFrames()
      var found: [[UInt8]] = []
      var rest = bytes[...]
      while !rest.isEmpty {
        withCopy(of: rest.prefix(size)) { piece in
          frames.receive(piece) { message in
            found.append(message.withUnsafeBytes { [UInt8]($0) })
            return true
          }
        }
        rest = rest.dropFirst(size)
      }
      return found
    }
    let whole = messages(inPiecesOf: max(1, bytes.count))
    for size in [1, 3, 64] { require(messages(inPiecesOf: size) == whole, "pieces of \(size) give other messages") }
  }

  private static func checkAnswer(_ bytes: [UInt8]) {
    withCopy(of: bytes) { copy in
      if let question = FirstQuestion(RawSpan(_unsafeBytes: copy)) {
        require(question.end <= bytes.count, "a question that ends behind its message")
      }
    }
    let seconds = AnswerFreshness.seconds(bytes)
    if let object = AnswerJSON.object(bytes, provenance: nil) {
      require(
        object.description.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 >= 0x80 }, "JSON with control characters")
    } else {
      require(seconds == nil, "an answer that may be kept but not told")
    }
    for error in AnswerJSON.extendedErrors(bytes) {
      require(error.text.utf8.count <= bytes.count * 3, "a text from nowhere")
    }
  }

  private static func checkTexts(_ text: String) {
    if let server = UpstreamServer(text) {
      require(UpstreamServer(server.description) == server, "\(server) is not read as it was written")
    }
    if let decoded = Base64.decodeURL(text.utf8) {
      require(Base64.encodeURL(decoded) == text, "\(text) is not written as it was read")
    }
    var fields = HTTPFields()
    fields.append("x-forwarded-for", text.filter { $0.isASCII && $0 >= " " })
    let proxy = IPAddress(192, 0, 2, 1)
    let trusted = [AddressPrefix(proxy, length: 32)]
    _ = ForwardedClient.address(fields, peer: proxy, trusted: trusted)
    let stranger = IPAddress(198, 51, 100, 1)
    require(ForwardedClient.address(fields, peer: stranger, trusted: trusted) == stranger, "a stranger is believed")
    _ = HTTPTarget("/dns-query?" + text).parameters
  }
}
