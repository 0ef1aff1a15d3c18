import EventLoops
import HTTP
import TLS
import WireFormat

/// One question over HTTPS (RFC 8484): a GET, so that it may be repeated on another connection if a kept one has gone.
final class UpstreamExchange: UpstreamPath {
  private let task: Task<Void, Never>

  /// What DNS messages are in HTTP.
  static let mediaType = "application/dns-message"

  init(_ attempt: UInt64, _ bytes: [UInt8], to url: HTTPURL, over http: HTTPClient, for client: UpstreamClient) {
    let request = HTTPClientRequest(.get, url, fields: [.accept: Self.mediaType])
    task = Self.start(attempt, request, http, client)
  }

  private static func start(
    _ attempt: UInt64, _ request: HTTPClientRequest, _ http: HTTPClient, _ client: UpstreamClient
  ) -> Task<Void, Never> {
    let loop = client.loop
    return Task(executorPreference: loop) {
      let result = await fetch(request, http)
      if Task.isCancelled { return }
      await loop.submit { client.ended(attempt, result) }
    }
  }

  private static func fetch(_ request: HTTPClientRequest, _ http: HTTPClient) async -> Result<[UInt8], UpstreamFailure>
  {
    do throws(HTTPError) {
      let response = try await http.send(request)
      let body = try await response.body.collect(upTo: Int(UInt16.max))
      return response.status == .ok ? .success(body) : .failure(.connection)
    } catch {
      return .failure(error == .timedOut ? .timedOut : .connection)
    }
  }

  /// The address of a question.
  static func url(of server: UpstreamServer, _ path: String, _ name: String?, _ bytes: [UInt8]) throws(HTTPError)
    -> HTTPURL
  {
    let authority = name.map { "\($0):\(server.endpoint.port)" } ?? "\(server.endpoint)"
    guard let url = HTTPURL("https://\(authority)\(path)?dns=\(Base64.encodeURL(bytes))") else {
      throw .badURL("https://\(authority)\(path)")
    }
    return url
  }

  /// A client that connects to one server, whatever its name is: nobody is asked where it lives.
  static func client(
    for server: UpstreamServer, _ name: String?, trust: TLSClientConfiguration.Trust, on loop: EventLoop
  ) throws -> HTTPClient {
    let route = HTTPRoute(
      server.endpoint, .certificate(hostName: name ?? server.endpoint.address.description))
    var configuration = HTTPClientConfiguration()
    configuration.tls.trust = trust
    configuration.tls.minimumVersion = .tls12
    configuration.maximumRedirects = 0
    configuration.connectTimeout = .seconds(4)
    configuration.headTimeout = .seconds(5)
    configuration.bodyTimeout = .seconds(5)
    configuration.resolver = { _ in [route] }
    return try HTTPClient(configuration, on: loop)
  }

  func close(_ attempt: UInt64) { task.cancel() }
}
