import CNghttp2

@testable import HTTP

/// A client over nghttp2, without I/O: the peer of the session under test.
final class HTTP2Client {
  /// What came back for a request.
  struct Response {
    var interim: [Int] = []
    var status: Int?
    var fields: [String: String] = [:]
    /// Names of fields in order, without `:status`.
    var names: [String] = []
    var body: [UInt8] = []
    var trailers: [String: String] = [:]
    /// True once the server has ended the stream.
    var isEnded = false
    /// The code with which the stream was closed.
    var closed: UInt32?

    var text: String { String(decoding: body, as: UTF8.self) }
  }

  /// A body on its way.
  private struct Upload {
    var bytes: [UInt8] = []
    var offset = 0
    var isComplete: Bool
    var trailers: [(String, String)]
  }

  private var session: OpaquePointer?
  private(set) var responses: [Int32: Response] = [:]
  /// Streams with a DATA frame each, in the order in which these came.
  private(set) var dataOrder: [Int32] = []
  private(set) var goAways: [(lastStream: Int32, code: UInt32)] = []
  private(set) var pingAnswers = 0
  /// What the server set, by number.
  private(set) var serverSettings: [Int32: UInt32] = [:]
  private var uploads: [Int32: Upload] = [:]
  private var section: [(String, String)] = []

  /// `window` is what a stream may send before data were read, `readsBodies` whether windows are opened again.
  init(window: Int? = nil, readsBodies: Bool = true, settings: [(Int, UInt32)] = []) {
    var options: OpaquePointer?
    nghttp2_option_new(&options)
    defer { nghttp2_option_del(options) }
    if !readsBodies { nghttp2_option_set_no_auto_window_update(options, 1) }
    let context = Unmanaged.passUnretained(self).toOpaque()
    nghttp2_session_client_new2(&session, Self.callbacks, context, options)
    var entries = settings.map { nghttp2_settings_entry(settings_id: Int32($0.0), value: $0.1) }
    if let window { entries.append(nghttp2_settings_entry(settings_id: 4, value: UInt32(window))) }
    nghttp2_submit_settings(session, 0, entries, entries.count)
  }

  deinit { nghttp2_session_del(session) }

  // MARK: - Doing

  /// Sends a request. Without a body the stream ends with the head; a body that is not complete is to be continued.
  @discardableResult
  func request(
    _ method: String = "GET", _ path: String = "/", _ fields: [(String, String)] = [], body: [UInt8]? = nil,
    isComplete: Bool = true, trailers: [(String, String)] = []
  ) -> Int32 {
    let all = [(":method", method), (":scheme", "https"), (":authority", "a.example"), (":path", path)] + fields
    let hasBody = body != nil || !isComplete || !trailers.isEmpty
    let id = withLines(all) { lines in
      var provider = Self.dataProvider
      return hasBody
        ? nghttp2_submit_request(session, nil, lines.baseAddress, lines.count, &provider, nil)
        : nghttp2_submit_request(session, nil, lines.baseAddress, lines.count, nil, nil)
    }
    precondition(id > 0, "nghttp2 refuses a request")
    responses[id] = Response()
    if hasBody { uploads[id] = Upload(bytes: body ?? [], isComplete: isComplete, trailers: trailers) }
    return id
  }

  /// Continues a body.
  func send(_ id: Int32, _ bytes: [UInt8], isComplete: Bool = false) {
    uploads[id]?.bytes += bytes
    if isComplete { uploads[id]?.isComplete = true }
    nghttp2_session_resume_data(session, id)
  }

  func reset(_ id: Int32, code: UInt32 = 8) { nghttp2_submit_rst_stream(session, 0, id, code) }

  func ping() { nghttp2_submit_ping(session, 0, nil) }

  /// Opens the window of a stream, or of the connection.
  func openWindow(_ id: Int32, by count: Int) { nghttp2_submit_window_update(session, 0, id, Int32(count)) }

  func receive(_ bytes: [UInt8]) {
    let count = bytes.withUnsafeBufferPointer { nghttp2_session_mem_recv(session, $0.baseAddress, $0.count) }
    precondition(count == bytes.count, "the client does not understand the server: \(count)")
  }

  func output() -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      var frame: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(session, &frame)
      precondition(count >= 0, "the client fails: \(count)")
      if count == 0 { return bytes }
      bytes += UnsafeBufferPointer(start: frame, count: count)
    }
  }

  /// Bytes of a body that the client has not sent yet.
  func unsent(_ id: Int32) -> Int { uploads[id].map { $0.bytes.count - $0.offset } ?? 0 }

  // MARK: - Callbacks

  private static func client(_ context: UnsafeMutableRawPointer?) -> HTTP2Client {
    Unmanaged<HTTP2Client>.fromOpaque(context!).takeUnretainedValue()
  }

  nonisolated(unsafe) private static let callbacks: OpaquePointer? = {
    var callbacks: OpaquePointer?
    nghttp2_session_callbacks_new(&callbacks)
    nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _, _, name, nameLength, value, valueLength, _, context in
      HTTP2Client.client(context).section.append(
        (
          String(decoding: UnsafeBufferPointer(start: name, count: nameLength), as: UTF8.self),
          String(decoding: UnsafeBufferPointer(start: value, count: valueLength), as: UTF8.self)
        ))
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
      HTTP2Client.client(context).received(frame!)
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, data, count, context in
      let client = HTTP2Client.client(context)
      client.responses[id]?.body += UnsafeBufferPointer(start: data, count: count)
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, context in
      HTTP2Client.client(context).responses[id]?.closed = code
      return 0
    }
    return callbacks
  }()

  private func received(_ frame: UnsafePointer<nghttp2_frame>) {
    let header = frame.pointee.hd
    let id = header.stream_id
    switch header.type {
    case 0:
      dataOrder.append(id)
      if header.flags & 1 != 0 { responses[id]?.isEnded = true }
    case 1: receivedHead(id, endsStream: header.flags & 1 != 0)
    case 4 where header.flags & 1 == 0:
      for index in 0..<frame.pointee.settings.niv {
        let entry = frame.pointee.settings.iv[index]
        serverSettings[entry.settings_id] = entry.value
      }
    case 6 where header.flags & 1 != 0: pingAnswers += 1
    case 7: goAways.append((frame.pointee.goaway.last_stream_id, frame.pointee.goaway.error_code))
    default: break
    }
  }

  private func receivedHead(_ id: Int32, endsStream: Bool) {
    let fields = section
    section = []
    guard var response = responses[id] else { return }
    let status = fields.first { $0.0 == ":status" }.flatMap { Int($0.1) }
    let others = fields.filter { $0.0 != ":status" }
    if let status, status < 200 {
      response.interim.append(status)
    } else if let status {
      response.status = status
      response.names = others.map(\.0)
      for (name, value) in others { response.fields[name] = value }
    } else {
      for (name, value) in others { response.trailers[name] = value }
    }
    if endsStream { response.isEnded = true }
    responses[id] = response
  }

  private static var dataProvider: nghttp2_data_provider {
    nghttp2_data_provider(
      source: nghttp2_data_source(),
      read_callback: { _, id, buffer, capacity, flags, _, context in
        HTTP2Client.client(context).read(
          id, UnsafeMutableRawBufferPointer(start: buffer, count: capacity), &flags!.pointee)
      })
  }

  private func read(_ id: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ flags: inout UInt32) -> Int {
    guard var upload = uploads[id] else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
    let count = min(buffer.count, upload.bytes.count - upload.offset)
    buffer.copyBytes(from: upload.bytes[upload.offset..<upload.offset + count])
    upload.offset += count
    uploads[id] = upload
    if upload.offset < upload.bytes.count { return count }
    if !upload.isComplete { return count > 0 ? count : Int(NGHTTP2_ERR_DEFERRED.rawValue) }
    flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
    if !upload.trailers.isEmpty {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
      _ = withLines(upload.trailers) { nghttp2_submit_trailer(session, id, $0.baseAddress, $0.count) }
    }
    return count
  }

  private func withLines<Result>(
    _ fields: [(String, String)], _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result
  ) -> Result {
    // nghttp2 copies the lines, so the bytes must live only until it has them.
    let parts = fields.map { (Array($0.0.utf8), Array($0.1.utf8)) }
    let bytes = parts.flatMap { $0.0 + $0.1 }
    return bytes.withUnsafeBufferPointer { bytes in
      var offset = 0
      let lines = parts.map { name, value in
        defer { offset += name.count + value.count }
        let start = bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0 + offset) }
        return nghttp2_nv(
          name: start, value: start.map { $0 + name.count }, namelen: name.count, valuelen: value.count, flags: 0)
      }
      return lines.withUnsafeBufferPointer(body)
    }
  }
}

/// Lets client and server talk until both are silent. Their bytes arrive cut into pieces of that size, if one is given.
@discardableResult
func talk(_ client: HTTP2Client, _ server: HTTP2Server, pieces: Int? = nil) -> HTTP2Error? {
  func cut(_ bytes: [UInt8]) -> [[UInt8]] {
    guard let pieces else { return [bytes] }
    return stride(from: 0, to: bytes.count, by: pieces).map { Array(bytes[$0..<min(bytes.count, $0 + pieces)]) }
  }
  // More turns than any test needs.
  for _ in 0..<1_000_000 {
    let sent = client.output()
    for piece in cut(sent) {
      do { try server.receive(piece) } catch {
        client.receive(server.output())
        return error
      }
    }
    let answered = server.output()
    for piece in cut(answered) { client.receive(piece) }
    if sent.isEmpty, answered.isEmpty { return server.session.error }
  }
  preconditionFailure("client and server do not stop talking")
}
