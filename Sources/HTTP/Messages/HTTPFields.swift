import Glibc

/// Header or trailer fields in order (RFC 9110 §5).
///
/// Names are kept in lower case, as HTTP/2 wants them; HTTP/1.1 does not care. All bytes lie in one buffer, so a copy of
/// the fields is one reference, and fields that were made once can be sent any number of times.
///
///     var fields = HTTPFields()
///     fields.append(.contentType, "text/plain; charset=utf-8")
///     if let length = fields[.contentLength] { … }
public struct HTTPFields: Sendable {
  /// Where one field lies in `bytes`.
  struct Entry: Sendable {
    var nameStart: UInt32
    var nameLength: UInt16
    var valueStart: UInt32
    var valueLength: UInt32

    /// Where the field lies if its bytes are a line of HTTP/1.1: name, colon, one space, value, line end.
    @inline(__always)
    func line(in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
      let (nameEnd, valueEnd) = (Int(nameStart) + Int(nameLength), Int(valueStart) + Int(valueLength))
      guard Int(valueStart) == nameEnd + 2, valueEnd + 2 <= bytes.count,
        bytes[nameEnd] == UInt8(ascii: ":"), bytes[nameEnd + 1] == UInt8(ascii: " "),
        bytes[valueEnd] == 0x0d, bytes[valueEnd + 1] == 0x0a
      else { return nil }
      return Int(nameStart)..<valueEnd + 2
    }

    @inline(__always)
    func isNamed(_ name: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) -> Bool {
      guard Int(nameLength) == name.count, let bytes = bytes.baseAddress, let name = name.baseAddress else {
        return false
      }
      return memcmp(bytes + Int(nameStart), name, Int(nameLength)) == 0
    }
  }

  /// Names and values, in any arrangement; those added here as lines of HTTP/1.1.
  var bytes: [UInt8]
  var entries: [Entry]

  /// No fields.
  public init() {
    bytes = []
    entries = []
  }

  /// Takes fields that lie in a buffer, their names in lower case.
  init(bytes: [UInt8], entries: [Entry]) {
    self.bytes = bytes
    self.entries = entries
  }

  /// Number of fields.
  public var count: Int { entries.count }

  /// True if there are none.
  public var isEmpty: Bool { entries.isEmpty }

  // MARK: - Reading

  /// The first value of a field; nil if it is absent.
  public subscript(name: HTTPFieldName) -> String? {
    guard let index = firstIndex(of: name) else { return nil }
    return value(at: index)
  }

  /// All values of a field, in order.
  public func values(_ name: HTTPFieldName) -> [String] {
    entries.indices.filter { isNamed(name, $0) }.map { value(at: $0) }
  }

  /// All values of a list-valued field, joined with commas (RFC 9110 §5.3); nil if it is absent.
  public func joined(_ name: HTTPFieldName) -> String? {
    // Most are asked for in vain; that takes no array.
    contains(name) ? values(name).joined(separator: ", ") : nil
  }

  /// True if the field is there.
  public func contains(_ name: HTTPFieldName) -> Bool { firstIndex(of: name) != nil }

  /// Calls `body` with the name (in lower case) and value of each field, in order.
  public func forEach(_ body: (_ name: String, _ value: String) throws -> Void) rethrows {
    for index in entries.indices { try body(name(at: index), value(at: index)) }
  }

  /// Lends the bytes of the first value of a field; nil if it is absent.
  public func withValue<Result>(_ name: HTTPFieldName, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    guard let index = firstIndex(of: name) else { return nil }
    let entry = entries[index]
    return bytes.withUnsafeBytes {
      body(UnsafeRawBufferPointer(rebasing: $0[Int(entry.valueStart)..<Int(entry.valueStart + entry.valueLength)]))
    }
  }

  func name(at index: Int) -> String {
    let entry = entries[index]
    return String(decoding: bytes[Int(entry.nameStart)..<Int(entry.nameStart) + Int(entry.nameLength)], as: UTF8.self)
  }

  func value(at index: Int) -> String {
    let entry = entries[index]
    return String(decoding: bytes[Int(entry.valueStart)..<Int(entry.valueStart + entry.valueLength)], as: UTF8.self)
  }

  func isNamed(_ name: HTTPFieldName, _ index: Int) -> Bool {
    name.withBytes { name in bytes.withUnsafeBytes { entries[index].isNamed(name, in: $0) } }
  }

  func firstIndex(of name: HTTPFieldName) -> Int? {
    name.withBytes { name in
      bytes.withUnsafeBytes { bytes in entries.firstIndex { $0.isNamed(name, in: bytes) } }
    }
  }

  /// Appends the fields as lines of HTTP/1.1, without those whose name `isLeftOut` accepts.
  @inline(__always)
  func appendLines(to output: inout [UInt8], without isLeftOut: (_ name: UnsafeRawBufferPointer) -> Bool) {
    bytes.withUnsafeBytes { bytes in
      // Those that lie one behind the other go in one piece.
      var lines = 0..<0
      for entry in entries {
        let name = UnsafeRawBufferPointer(rebasing: bytes[Int(entry.nameStart)...].prefix(Int(entry.nameLength)))
        if isLeftOut(name) { continue }
        let line = entry.line(in: bytes)
        if let line, line.lowerBound == lines.upperBound {
          lines = lines.lowerBound..<line.upperBound
          continue
        }
        output.append(contentsOf: bytes[lines])
        lines = line ?? 0..<0
        if line == nil {
          output.append(contentsOf: name)
          output.append(contentsOf: [UInt8(ascii: ":"), UInt8(ascii: " ")])
          output.append(contentsOf: bytes[Int(entry.valueStart)...].prefix(Int(entry.valueLength)))
          output.append(contentsOf: [0x0d, 0x0a])
        }
      }
      output.append(contentsOf: bytes[lines])
    }
  }

  // MARK: - Writing

  /// Appends a field.
  ///
  /// The value must hold no control characters but tabs: a line end would be the start of another field. Each is written
  /// as a space.
  public mutating func append(_ name: HTTPFieldName, _ value: String) {
    var value = value
    value.withUTF8 { append(name, UnsafeRawBufferPointer($0)) }
  }

  /// Appends a field whose value is an integer.
  public mutating func append(_ name: HTTPFieldName, _ value: some BinaryInteger) { append(name, String(value)) }

  /// Appends a field; control characters in the value, except tabs, are written as spaces.
  public mutating func append(_ name: HTTPFieldName, _ value: UnsafeRawBufferPointer) {
    let start = bytes.count
    name.withBytes { bytes.append(contentsOf: $0) }
    let nameEnd = bytes.count
    bytes.append(UInt8(ascii: ":"))
    bytes.append(UInt8(ascii: " "))
    let valueStart = bytes.count
    bytes.append(contentsOf: value)
    let valueEnd = bytes.count
    for index in valueStart..<valueEnd {
      let byte = bytes[index]
      if byte < 0x20 && byte != 0x09 || byte == 0x7f { bytes[index] = 0x20 }
    }
    bytes.append(0x0d)
    bytes.append(0x0a)
    entries.append(
      Entry(
        nameStart: UInt32(start), nameLength: UInt16(nameEnd - start), valueStart: UInt32(valueStart),
        valueLength: UInt32(valueEnd - valueStart)))
  }

  /// Puts a field in the place of all of that name.
  public mutating func set(_ name: HTTPFieldName, _ value: String) {
    remove(name)
    append(name, value)
  }

  /// Appends all fields of `other`.
  public mutating func append(contentsOf other: HTTPFields) {
    let shift = UInt32(bytes.count)
    bytes.append(contentsOf: other.bytes)
    entries.reserveCapacity(entries.count + other.entries.count)
    for var entry in other.entries {
      entry.nameStart += shift
      entry.valueStart += shift
      entries.append(entry)
    }
  }

  /// Removes all fields of a name.
  public mutating func remove(_ name: HTTPFieldName) {
    // The bytes stay: fields are few and live briefly.
    let kept = entries.indices.filter { !isNamed(name, $0) }
    if kept.count != entries.count { entries = kept.map { entries[$0] } }
  }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
  /// Fields in the order written.
  public init(dictionaryLiteral elements: (HTTPFieldName, String)...) {
    self.init()
    // Room for those that are added before they are sent.
    bytes.reserveCapacity(320)
    entries.reserveCapacity(elements.count + 4)
    for (name, value) in elements { append(name, value) }
  }
}

extension HTTPFields: Equatable {
  /// True if names and values are the same, in the same order.
  public static func == (first: HTTPFields, second: HTTPFields) -> Bool {
    first.count == second.count
      && first.entries.indices.allSatisfy {
        first.name(at: $0) == second.name(at: $0) && first.value(at: $0) == second.value(at: $0)
      }
  }
}

extension HTTPFields: CustomStringConvertible {
  /// One `name: value` a line.
  public var description: String {
    var text = ""
    forEach { text += "\($0): \($1)\n" }
    return text
  }
}
