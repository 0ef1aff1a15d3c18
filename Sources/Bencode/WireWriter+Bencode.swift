import WireFormat

extension WireWriter {
  /// Appends a bencoded string.
  @inline(__always)
  public mutating func writeBencoded(_ bytes: UnsafeRawBufferPointer) {
    writeDecimal(UInt64(bytes.count))
    write(UInt8(ascii: ":"))
    write(bytes)
  }

  /// Appends a bencoded string.
  @inline(__always)
  public mutating func writeBencoded(_ bytes: [UInt8]) { bytes.withUnsafeBytes { writeBencoded($0) } }

  /// Appends a bencoded string.
  @inline(__always)
  public mutating func writeBencoded(_ bytes: RawSpan) { bytes.withUnsafeBytes { writeBencoded($0) } }

  /// Appends a bencoded integer.
  @inline(__always)
  public mutating func writeBencoded(_ value: Int64) {
    write(UInt8(ascii: "i"))
    writeDecimal(Int(value))
    write(UInt8(ascii: "e"))
  }
}
