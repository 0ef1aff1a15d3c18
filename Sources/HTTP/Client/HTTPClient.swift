import Addresses
import EventLoops
import TLS

/// A client for HTTP/1.1: keeps connections, follows redirects, streams bodies, and can be told where a name leads and
/// which key to find there.
///
/// ```swift
/// let client = try HTTPClient()
/// let response = try await client.send(HTTPClientRequest(.get, HTTPURL("https://example.org/")!))
/// let text = try await response.body.collect(upTo: 1 << 20)
/// ```
///
/// Calls may come from any task; cancelling the task ends the request.
public final class HTTPClient: Sendable {
  let configuration: HTTPClientConfiguration
  private let loop: EventLoop
  private let ownsLoop: Bool
  private let pool: ClientPool

  /// Makes a client on a loop of its own, or on one that it shares and that stays its owner's.
  ///
  /// Throws if the trusted certificates cannot be read or the system has no thread left.
  public init(
    _ configuration: HTTPClientConfiguration = HTTPClientConfiguration(), on loop: EventLoop? = nil
  ) throws {
    self.configuration = configuration
    ownsLoop = loop == nil
    let own = loop == nil ? try EventLoop(name: "http-client") : nil
    guard let running = loop ?? own else { preconditionFailure("there is one of the two") }
    self.loop = running
    pool = try ClientPool(configuration, on: running)
    try own?.start()
  }

  deinit {
    let pool = pool
    loop.execute { pool.closeAll() }
    if ownsLoop { loop.requestStop() }
  }

  /// Sends a request and waits for the head of its response.
  ///
  /// Throws `HTTPError`: `.cannotConnect` if no candidate could be reached or proved to be the right one, `.timedOut`,
  /// `.connectionClosed`, `.malformed`, `.badRedirect`; `.connectionClosed` as well if the task was cancelled.
  public func send(_ request: HTTPClientRequest) async throws(HTTPError) -> HTTPClientResponse {
    var request = request
    if let agent = configuration.userAgent, !request.fields.contains(.userAgent) {
      request.fields.append(.userAgent, agent)
    }
    var redirects = 0
    var isEncrypted = false
    while true {
      let response = try await sendOnce(request, encrypted: isEncrypted)
      guard configuration.maximumRedirects > 0, let location = Self.redirect(response) else { return response }
      redirects += 1
      if redirects > configuration.maximumRedirects { throw .badRedirect("more than \(redirects - 1) of them") }
      // What was sent where nobody else could read it stays so, also if the address began with `http:`, as that of a key.
      if response.route.identity != .plain { isEncrypted = true }
      request = try Self.following(location, request, response)
    }
  }

  /// Sends a request and waits for the whole response, of which the body may have at most `maximumBytes`.
  ///
  /// `timeout` is for all of it: `.timedOut` when it has passed. Otherwise throws as ``send(_:)``.
  public func fetch(
    _ request: HTTPClientRequest, upTo maximumBytes: Int, timeout: Duration
  ) async throws(HTTPError) -> (response: HTTPClientResponse, body: [UInt8]) {
    let loop = loop
    let outcome = await withTaskGroup(
      of: Result<(HTTPClientResponse, [UInt8]), HTTPError>?.self
    ) { group -> Result<(HTTPClientResponse, [UInt8]), HTTPError> in
      group.addTask(executorPreference: loop) {
        do throws(HTTPError) {
          let response = try await self.send(request)
          return .success((response, try await response.body.collect(upTo: maximumBytes)))
        } catch {
          return .failure(error)
        }
      }
      group.addTask(executorPreference: loop) {
        do {
          try await loop.sleep(for: timeout)
          return .failure(.timedOut)
        } catch {
          return nil
        }
      }
      for await outcome in group {
        guard let outcome else { continue }
        group.cancelAll()
        return outcome
      }
      return .failure(.connectionClosed)
    }
    return try outcome.get()
  }

  // MARK: - One exchange

  private func sendOnce(
    _ request: HTTPClientRequest, encrypted: Bool
  ) async throws(HTTPError) -> HTTPClientResponse {
    let key = ClientPool.Key(scheme: request.url.scheme, host: request.url.host, port: request.url.effectivePort)
    let pool = pool
    if let kept = await loop.submit({ pool.take(key, encrypted: encrypted) }) {
      do throws(HTTPError) {
        return try await kept.send(request)
      } catch {
        // The server may have closed a kept connection at the moment that it was used again.
        let mayRepeat = !kept.hasSentRequest || (kept.hasSeenNothing && request.isRepeatable)
        guard error == .connectionClosed, !Task.isCancelled, mayRepeat else { throw error }
      }
    }
    return try await connect(to: request.url, for: key, encrypted: encrypted).send(request)
  }

  private func connect(
    to url: HTTPURL, for key: ClientPool.Key, encrypted: Bool
  ) async throws(HTTPError) -> ClientConnection {
    let candidates: AsyncThrowingStream<HTTPRoute, any Error>
    if let found = configuration.routeSearch?(url) {
      candidates = found
    } else {
      do {
        let routes = try await configuration.resolver(url)
        candidates = AsyncThrowingStream { continuation in
          for route in routes { continuation.yield(route) }
          continuation.finish()
        }
      } catch let error as HTTPError {
        throw error
      } catch {
        throw .cannotConnect("\(url.host): \(error)")
      }
    }
    var search = ConnectionSearch(
      host: url.host, key: key, pool: pool, candidates: candidates, needsEncryption: encrypted)
    return try await search.run()
  }

  // MARK: - Redirects

  private static func redirect(_ response: HTTPClientResponse) -> String? {
    guard [301, 302, 303, 307, 308].contains(response.status.code) else { return nil }
    return response.fields[.location]
  }

  /// The request that a redirect asks for (RFC 9110 §15.4).
  private static func following(
    _ location: String, _ request: HTTPClientRequest, _ response: HTTPClientResponse
  ) throws(HTTPError) -> HTTPClientRequest {
    guard let url = request.url.resolving(location) else { throw .badRedirect("\"\(location)\" is no address") }
    if request.url.scheme == .https, url.scheme == .http { throw .badRedirect("from https to http") }
    var next = request
    next.url = url
    let becomesGet =
      response.status.code == 303 ? request.method != .head : response.status.code <= 302 && request.method == .post
    if becomesGet {
      next.method = .get
      next.body = .empty
      next.fields.remove(.contentType)
    } else if case .stream = request.body {
      throw .badRedirect("the body cannot be sent again")
    }
    // Another host must not learn what was meant for this one.
    if url.host != request.url.host || url.effectivePort != request.url.effectivePort {
      for name in ["authorization", "proxy-authorization", "cookie"] as [HTTPFieldName] { next.fields.remove(name) }
    }
    return next
  }
}

extension HTTPClientRequest {
  /// True if it does no harm to send it a second time (RFC 9110 §9.2.2).
  var isRepeatable: Bool {
    if case .stream = body { return false }
    return [.get, .head, .put, .delete, .options].contains(method)
  }
}
