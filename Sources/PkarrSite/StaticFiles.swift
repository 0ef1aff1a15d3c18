import HTTP

/// Answers requests with the files of a folder: `GET` and `HEAD`, ranges, conditions (RFC 9110).
///
/// A folder is its `index.html`; there are no listings. Names that begin with a dot do not exist, nor does anything outside
/// of the folder. A file is read as it is sent, so its size costs no memory.
struct StaticFiles: Sendable {
  let folder: SiteFolder

  /// Files up to this size are read at once.
  private static let smallFile: UInt64 = 64 << 10
  private static let pieceSize = 128 << 10

  func response(to request: HTTPRequest) throws -> HTTPResponse {
    guard request.method == .get || request.method == .head else {
      var refusal = HTTPResponse.text("Only GET and HEAD\n", status: .methodNotAllowed)
      refusal.fields.append(.allow, "GET, HEAD")
      return refusal
    }
    guard let path = SitePath(request.target) else { return Self.notFound }
    let client = request.context.clientAddress
    do throws(SiteFolder.Failure) {
      if path.isFolder {
        guard case .file(let file) = try folder.open(path.index, for: client) else { return Self.notFound }
        return try response(to: request, with: file, type: MediaType.of(path.index))
      }
      switch try folder.open(path.text, for: client) {
      case .file(let file): return try response(to: request, with: file, type: MediaType.of(path.text))
      case .folder: return Self.redirect(request.target)
      }
    } catch {
      switch error {
      case .notFound: return Self.notFound
      case .busy:
        var refusal = HTTPResponse.text("Too many files are being read\n", status: .serviceUnavailable)
        refusal.fields.append(.retryAfter, "1")
        return refusal
      case .system: throw error
      }
    }
  }

  private static let notFound = HTTPResponse.text("Not Found\n", status: .notFound)

  /// Relative links of a page need the slash behind its folder.
  private static func redirect(_ target: HTTPTarget) -> HTTPResponse {
    let query = target.query.map { "?\($0)" } ?? ""
    return HTTPResponse(HTTPStatus(301), fields: [.location: "\(target.path)/\(query)"])
  }

  private func response(
    to request: HTTPRequest, with file: SiteFile, type: String
  ) throws(SiteFolder.Failure) -> HTTPResponse {
    var fields: HTTPFields = [.acceptRanges: "bytes"]
    if let etag = file.etag { fields.append(.etag, "\(etag)") }
    if let date = file.lastModified { fields.append(.lastModified, "\(date)") }
    switch HTTPPreconditions.evaluate(
      method: request.method, fields: request.fields, etag: file.etag, lastModified: file.lastModified)
    {
    case .notModified: return HTTPResponse(.notModified, fields: fields)
    case .preconditionFailed: return .text("Precondition Failed\n", status: .preconditionFailed)
    case .proceed: break
    }
    let range = HTTPRange.requested(
      method: request.method, fields: request.fields, length: file.length, etag: file.etag,
      lastModified: file.lastModified)
    if let part = range.contentRange(of: file.length) { fields.append("content-range", part) }
    switch range {
    case .notSatisfiable:
      return HTTPResponse(.rangeNotSatisfiable, fields: fields)
    case .part(let part):
      fields.append(.contentType, type)
      fields.append("x-content-type-options", "nosniff")
      return HTTPResponse(.partialContent, fields: fields, body: try Self.body(file, part, request.method))
    case .whole:
      fields.append(.contentType, type)
      fields.append("x-content-type-options", "nosniff")
      return HTTPResponse(.ok, fields: fields, body: try Self.body(file, 0..<file.length, request.method))
    }
  }

  private static func body(
    _ file: SiteFile, _ range: Range<UInt64>, _ method: HTTPMethod
  ) throws(SiteFolder.Failure) -> HTTPBody {
    let count = range.upperBound - range.lowerBound
    if method == .get, count <= smallFile {
      let bytes = try file.read(at: range.lowerBound, upTo: Int(count))
      // It was cut off between two calls: the length that is told is the one that is sent.
      return .bytes(bytes)
    }
    return .stream(length: count) { writer in
      var offset = range.lowerBound
      while offset < range.upperBound {
        let piece = try file.read(at: offset, upTo: Int(min(UInt64(pieceSize), range.upperBound - offset)))
        // It has become shorter: the server breaks the message off, so that nobody takes it for the whole.
        if piece.isEmpty { throw CancellationError() }
        try await writer.write(piece)
        offset += UInt64(piece.count)
      }
    }
  }
}
