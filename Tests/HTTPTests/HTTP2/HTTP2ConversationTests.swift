import TestSupport
import Testing

@testable import HTTP

@Suite("HTTP/2 as other programs speak it")
struct HTTP2ConversationTests {
  struct Conversation: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var requests: Int
    var clientHex: HexBytes

    var testDescription: String { name }
  }

  private struct Document: Decodable {
    var conversations: [Conversation]
  }

  static let conversations: [Conversation] = {
    let document = try? Vectors.load(
      "http/http2-conversations.json", as: Document.self, keys: .convertFromSnakeCase)
    return document?.conversations ?? []
  }()

  @Test("all conversations are there")
  func count() { #expect(Self.conversations.count == 15) }

  @Test("what curl, nghttp and h2load send is understood", arguments: conversations, [nil, 1, 100])
  func replay(conversation: Conversation, pieces: Int?) {
    let peer = HTTP2WirePeer(.answering("ok"), opening: [])
    let bytes = conversation.clientHex.bytes
    let size = pieces ?? bytes.count
    for start in stride(from: 0, to: bytes.count, by: size) {
      peer.send(Array(bytes[start..<min(bytes.count, start + size)]))
    }
    #expect(peer.error == nil && peer.server.session.error == nil && peer.goAway == nil)
    #expect(peer.server.began.count == conversation.requests)
    // One of them sends a head of 18 kB, to have something for CONTINUATION frames.
    #expect(peer.server.refused.count == (conversation.requests == 0 ? 1 : 0))
    // Some waited with the body, and have not sent it after all.
    #expect(peer.server.requests.values.filter(\.isEnded).allSatisfy { $0.closed == 0 })
  }
}
