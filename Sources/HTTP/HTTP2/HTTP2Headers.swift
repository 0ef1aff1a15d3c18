import CNghttp2

/// Heads in the form that nghttp2 takes.
enum HTTP2Headers {
  /// What is about the connection has no place in HTTP/2 (RFC 9113 §8.2.2).
  private static let connectionFields: [HTTPFieldName] = [
    .connection, .transferEncoding, .upgrade, HTTPFieldName(wellKnown: "keep-alive"),
    HTTPFieldName(wellKnown: "proxy-connection"),
  ]

  private static let statusName = Array(":status".utf8)

  /// Calls `body` with the status and the fields; nghttp2 copies what it keeps.
  static func withNameValues<Result>(
    status: HTTPStatus, fields: HTTPFields, _ body: (UnsafeMutableBufferPointer<nghttp2_nv>) -> Result
  ) -> Result {
    let code = Array("\(status.code)".utf8)
    return statusName.withUnsafeBufferPointer { statusName in
      code.withUnsafeBufferPointer { code in
        fields.bytes.withUnsafeBufferPointer { bytes in
          withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count + 1) { headers in
            headers.initializeElement(at: 0, to: nameValue(statusName, code))
            var count = 1
            for index in fields.entries.indices where !connectionFields.contains(where: { fields.isNamed($0, index) }) {
              let entry = fields.entries[index]
              let name = Int(entry.nameStart)..<Int(entry.nameStart) + Int(entry.nameLength)
              let value = Int(entry.valueStart)..<Int(entry.valueStart + entry.valueLength)
              headers.initializeElement(
                at: count,
                to: nameValue(
                  UnsafeBufferPointer(rebasing: bytes[name]), UnsafeBufferPointer(rebasing: bytes[value])))
              count += 1
            }
            return body(UnsafeMutableBufferPointer(rebasing: headers[..<count]))
          }
        }
      }
    }
  }

  private static func nameValue(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
  ) -> nghttp2_nv {
    nghttp2_nv(
      name: UnsafeMutablePointer(mutating: name.baseAddress), value: UnsafeMutablePointer(mutating: value.baseAddress),
      namelen: name.count, valuelen: value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
  }
}
