import DNSWire

/// Owner names: short ones are relative to the key's zone.
extension PublicKey {
  /// The apex of the zone: the key's text as the only label.
  public var domainName: DomainName {
    guard let name = try? DomainName(labels: CollectionOfOne(z32.utf8)) else {
      preconditionFailure("52 characters are a label")
    }
    return name
  }

  /// The full name, as text without a final dot, of a name that may be relative to this zone.
  ///
  /// One final dot is dropped. Then a name whose last label is the key stays as it is; one whose last label is `@` or
  /// empty is the apex, whatever stands in front; any other gets the key appended, even if it ends in another key. All
  /// labels are compared case-sensitively.
  public func fullName(of name: some StringProtocol) -> String {
    let (apex, dot) = (z32, UInt8(ascii: "."))
    var utf8 = Array(name.utf8)[...]
    if utf8.last == dot { utf8.removeLast() }
    let lastLabel = utf8.lastIndex(of: dot).map { utf8[($0 + 1)...] } ?? utf8
    if lastLabel.elementsEqual(apex.utf8) { return String(decoding: utf8, as: UTF8.self) }
    if lastLabel.isEmpty || lastLabel.elementsEqual("@".utf8) { return apex }
    return String(decoding: utf8, as: UTF8.self) + "." + apex
  }

  /// The full name of a name that may be relative to this zone, by the rules of ``fullName(of:)-(StringProtocol)``.
  ///
  /// - Throws: `DomainNameError.nameTooLong` if it does not fit into 255 bytes.
  public func fullName(of name: DomainName) throws(DomainNameError) -> DomainName {
    try Self.fullName(of: name, below: domainName)
  }

  /// The same with the apex at hand, for many names.
  static func fullName(of name: DomainName, below apex: DomainName) throws(DomainNameError) -> DomainName {
    var lastLabel: ArraySlice<UInt8> = []
    for label in name.labels { lastLabel = label }
    if lastLabel.elementsEqual(apex.wire.dropFirst().dropLast()) { return name }
    if lastLabel.isEmpty || lastLabel.elementsEqual("@".utf8) { return apex }
    return try name.appending(apex)
  }

  /// The shortest text for an owner name: `@` for the apex, `www` for a name below it, and an absolute name (with its
  /// final dot) outside of the zone.
  public func relativeName(of name: DomainName) -> String { Self.relativeName(of: name, below: domainName) }

  /// The same with the apex at hand, for many names.
  static func relativeName(of name: DomainName, below apex: DomainName) -> String {
    guard let inside = name.removingSuffix(apex) else { return name.absoluteDescription }
    return inside.isRoot ? "@" : inside.description
  }
}
