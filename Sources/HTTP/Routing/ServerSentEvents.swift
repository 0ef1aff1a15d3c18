/// Server-sent events (HTML Living Standard §9.2): a response that stays open and tells what happens.
public enum ServerSentEvents {
  /// A response whose events a function sends; it ends when the function does or the client goes.
  public static func response(
    fields: HTTPFields = HTTPFields(), _ send: @escaping @Sendable (ServerSentEventWriter) async throws -> Void
  ) -> HTTPResponse {
    var fields = fields
    fields.set(.contentType, "text/event-stream")
    fields.set(.cacheControl, "no-store")
    return HTTPResponse(.ok, fields: fields, body: .stream { try await send(ServerSentEventWriter(body: $0)) })
  }

  /// An event as text. `data` may have several lines; `name` and `id` must have none.
  public static func event(_ data: String, name: String? = nil, id: String? = nil) -> String {
    var text = ""
    if let name { text += "event: \(oneLine(name))\n" }
    if let id { text += "id: \(oneLine(id))\n" }
    for line in data.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) { text += "data: \(line)\n" }
    return text + "\n"
  }

  /// A comment, so that proxies and clients know that the connection is alive.
  public static let heartbeat = ":\n\n"

  private static func oneLine(_ text: String) -> String { String(text.map { $0.isNewline || $0 == "\0" ? " " : $0 }) }
}

/// Where a function sends events.
public struct ServerSentEventWriter: Sendable {
  let body: HTTPBodyWriter

  /// Sends an event. `data` may have several lines; `name` and `id` must have none.
  ///
  /// Throws `CancellationError` once the client is gone.
  public func send(_ data: String, name: String? = nil, id: String? = nil) async throws {
    try await write(ServerSentEvents.event(data, name: name, id: id))
  }

  /// Sends a comment, so that proxies and clients know that the connection is alive.
  public func sendHeartbeat() async throws { try await write(ServerSentEvents.heartbeat) }

  private func write(_ text: String) async throws { try await body.write(text) }

  /// Sends what ``ServerSentEvents`` made, events or a sign of life, without waiting, from the connection's loop; false if ``waitForRoom()`` must come before any more.
  @inline(never)
  public func writeAtOnce(_ text: String) -> Bool { body.writeAtOnce(Array(text.utf8)) }

  /// Returns once there is room for more.
  public func waitForRoom() async throws { try await body.waitForRoom() }
}
