extension DomainName {
  /// Copies a name in uncompressed wire form, which must end with the bytes.
  ///
  /// - Throws: `DomainNameError`: `.labelTooLong` (compression pointers included), `.nameTooLong`, or `.emptyLabel` if the
  ///   name ends before or after the last byte.
  public init(wire bytes: RawSpan) throws(DomainNameError) {
    var position = 0
    while true {
      guard position < bytes.byteCount else { throw .emptyLabel }
      let length = Int(bytes.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self))
      if length == 0 { break }
      guard length <= Self.maximumLabelLength else { throw .labelTooLong(length) }
      position += length + 1
      guard position < Self.maximumLength else { throw .nameTooLong(position + 1) }
    }
    guard position + 1 == bytes.byteCount else { throw .emptyLabel }
    self.init(uncheckedWire: [UInt8](bytes))
  }

  /// The name with ASCII letters in lower case (RFC 4343).
  public var lowercased: DomainName {
    guard wire.contains(where: { (0x41...0x5a).contains($0) }) else { return self }
    // Length bytes are below 64, so they are never taken for letters.
    return DomainName(uncheckedWire: wire.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 })
  }
}
