import CNghttp2
import Glibc

extension HTTP2Session {
  /// Lends fields in the form in which nghttp2 takes them, behind `:status` if there is one. nghttp2 copies them, in one
  /// allocation, since it compresses them later, when they are sent.
  func withLines<Result>(
    status: HTTPStatus?, _ fields: HTTPFields, bodyLength: Int?, dropsLength: Bool,
    _ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result
  ) -> Result {
    fields.bytes.withUnsafeBufferPointer { bytes in
      withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count + 2) { lines in
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
          var count = 0
          func add(_ name: UnsafePointer<UInt8>, _ nameLength: Int, _ value: UnsafePointer<UInt8>, _ length: Int) {
            lines.initializeElement(
              at: count,
              to: nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name), value: UnsafeMutablePointer(mutating: value),
                namelen: nameLength, valuelen: length, flags: UInt8(truncatingIfNeeded: NGHTTP2_NV_FLAG_NONE.rawValue)))
            count += 1
          }
          func add(_ name: StaticString, _ number: Int, at offset: Int) {
            let length = Self.write(number, to: UnsafeMutableBufferPointer(rebasing: digits[offset...]))
            add(name.utf8Start, name.utf8CodeUnitCount, UnsafePointer(digits.baseAddress! + offset), length)
          }
          if let status { add(":status", status.code, at: 0) }
          if let base = bytes.baseAddress {
            for entry in fields.entries {
              let name = base + Int(entry.nameStart)
              if Self.isLeftOut(name, Int(entry.nameLength), dropsLength: dropsLength) { continue }
              let (start, length) = Self.trimmed(base + Int(entry.valueStart), Int(entry.valueLength))
              add(name, Int(entry.nameLength), start, length)
            }
          }
          if let bodyLength { add("content-length", bodyLength, at: 4) }
          return body(UnsafeBufferPointer(rebasing: lines[..<count]))
        }
      }
    }
  }

  /// True for the fields that HTTP/2 has no place for (RFC 9113 §8.2.2), and for those that the session writes.
  private static func isLeftOut(_ name: UnsafePointer<UInt8>, _ length: Int, dropsLength: Bool) -> Bool {
    func isNamed(_ expected: StaticString) -> Bool { memcmp(name, expected.utf8Start, length) == 0 }
    return switch length {
    case 2: isNamed("te")
    case 7: isNamed("upgrade")
    case 10: isNamed("connection") || isNamed("keep-alive")
    case 14: dropsLength && isNamed("content-length")
    case 16: isNamed("proxy-connection")
    case 17: isNamed("transfer-encoding")
    default: false
    }
  }

  /// A value must neither begin nor end with white space (§8.2.1).
  private static func trimmed(_ value: UnsafePointer<UInt8>, _ length: Int) -> (UnsafePointer<UInt8>, Int) {
    var (start, end) = (0, length)
    while start < end, value[start] == 0x20 || value[start] == 0x09 { start += 1 }
    while start < end, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
    return (value + start, end - start)
  }

  /// Writes a number that is not negative in decimal; returns the number of its digits.
  private static func write(_ number: Int, to digits: UnsafeMutableBufferPointer<UInt8>) -> Int {
    var count = 1
    var rest = number / 10
    while rest > 0 {
      count += 1
      rest /= 10
    }
    rest = number
    for index in (0..<count).reversed() {
      digits[index] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
      rest /= 10
    }
    return count
  }
}
