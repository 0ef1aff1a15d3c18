import HTTP

/// Carries requests to relays over HTTP, with TLS for `https`.
public struct HTTPRelayTransport: RelayTransport {
  private let client: HTTPClient

  /// Over a client of one's own, for example one with other trusted certificates.
  public init(_ client: HTTPClient) { self.client = client }

  /// Sends a request and waits for the whole response. Of a response that is no success a long body is left out.
  public func send(_ request: RelayRequest) async throws(RelayTransportError) -> RelayResponse {
    guard let url = HTTPURL(request.url) else { throw .failed("\(request.url) is no address of the web") }
    do throws(HTTPError) {
      let response = try await client.send(
        HTTPClientRequest(
          request.method, url, fields: request.fields, body: request.body.isEmpty ? .empty : .bytes(request.body)))
      let body: [UInt8]
      if (200..<300).contains(response.status.code) {
        body = try await response.body.collect(upTo: request.maximumBodyLength)
      } else {
        // The status says it all; a short body is read so that the connection can be used again.
        let isShort = response.body.announcedLength.map { $0 <= UInt64(request.maximumBodyLength) } ?? false
        body = isShort ? (try? await response.body.collect(upTo: request.maximumBodyLength)) ?? [] : []
      }
      return RelayResponse(status: response.status.code, fields: response.fields, body: body)
    } catch {
      switch error {
      case .timedOut: throw .timedOut
      case .tooLarge: throw .bodyTooLarge
      case .connectionClosed where Task.isCancelled: throw .cancelled
      case .malformed, .connectionClosed, .cannotConnect, .badRedirect, .badURL: throw .failed("\(error)")
      }
    }
  }
}
