/// Turns the entries of a zone file into records.
struct ZoneFileParser {
  private(set) var records: [ZoneFile.Entry] = []
  private(set) var warnings: [ZoneFile.Warning] = []

  private let apex: DomainName
  private let keepsSOA: Bool
  private var origin: DomainName
  private var owner: DomainName
  private var ttl: UInt32
  private var checks = ZoneChecks()

  init(apex: DomainName, ttl: UInt32, keepsSOA: Bool) {
    self.apex = apex
    self.keepsSOA = keepsSOA
    self.ttl = ttl
    origin = apex
    owner = apex
  }

  /// Reads a directive or a record.
  mutating func read(_ entry: ZoneFileScanner.Entry) throws(FieldError) {
    if let first = entry.fields.first, !first.isQuoted, first.text.utf8.first == UInt8(ascii: "$") {
      try readDirective(first, entry)
    } else {
      try readRecord(entry)
    }
  }

  private mutating func readDirective(_ name: Field, _ entry: ZoneFileScanner.Entry) throws(FieldError) {
    var fields = FieldReader(entry.fields.dropFirst(), origin: origin, end: entry.end)
    switch name.text.uppercased() {
    case "$ORIGIN": origin = try fields.nextName("the new origin")
    case "$TTL": ttl = try readTTL(try fields.next("a TTL"))
    case "$INCLUDE":
      throw name.error("is not supported: a zone is one file", hint: "Copy the records of the other file here.")
    default: throw name.error("is not a directive", hint: "Known: $ORIGIN, $TTL.")
    }
    try Self.expectEnd(&fields)
  }

  private mutating func readRecord(_ entry: ZoneFileScanner.Entry) throws(FieldError) {
    var fields = FieldReader(entry.fields[...], origin: origin, end: entry.end)
    if entry.hasOwner { try readOwner(try fields.next("a name"), entry.line) }
    let type = try readType(&fields, entry.line)
    let data = try RecordData(type, presentation: &fields)
    try Self.expectEnd(&fields)
    for field in fields.dottedRelativeNames {
      warn(entry.line, "\"\(field.text)\" has no dot at its end and so means \(field.text).\(origin)")
    }
    let record = ResourceRecord(name: owner, ttl: ttl, data: data)
    guard type != .soa || keepsSOA else { return warn(entry.line, "the SOA record is left out: packets have none") }
    let position = (entry.fields.first ?? Field(text: "", isQuoted: false, position: entry.end)).position
    for message in try checks.add(record, line: entry.line, at: position) { warn(entry.line, message) }
    records.append(ZoneFile.Entry(record: record, line: entry.line))
  }

  private mutating func readOwner(_ field: Field, _ line: Int) throws(FieldError) {
    owner = try FieldReader.name(field, origin: origin)
    guard owner.hasSuffix(apex) else {
      throw field.error(
        "is outside of the zone \(apex)", hint: "Leave out the dot at its end to mean a name inside of the zone.")
    }
    let relative = owner.removingSuffix(apex) ?? owner
    if (try? relative.checkPublishable()) == nil {
      warn(line, "\"\(field.text)\" has characters that other programs may refuse in a name")
    }
  }

  /// Reads TTL and class, both optional and in either order, and the type.
  private mutating func readType(_ fields: inout FieldReader, _ line: Int) throws(FieldError) -> RecordType {
    var hasTTL = false
    var hasClass = false
    while true {
      let field = try fields.next("the type of the record")
      if !hasClass, let value = RecordClass(String(field.text)), !field.isQuoted {
        guard value == .internet else { throw field.error("is a class; only IN can be published") }
        hasClass = true
      } else if let type = RecordType(field.text), !field.isQuoted {
        guard !type.isMeta || field.text.uppercased().hasPrefix("TYPE") else {
          throw field.error("is a type for questions and messages; a zone cannot hold it")
        }
        return type
      } else if !hasTTL, field.text.utf8.first.map({ (0x30...0x39).contains($0) }) == true {
        ttl = try readTTL(field)
        if ttl > Int32.max { warn(line, "a TTL above \(Int32.max) counts as 0 for many programs (RFC 2181 §8)") }
        hasTTL = true
      } else {
        throw field.error("is not a record type", hint: Self.typeHint(field.text))
      }
    }
  }

  private func readTTL(_ field: Field) throws(FieldError) -> UInt32 {
    guard !field.isQuoted, let ttl = TimeToLive.parse(field.text) else {
      throw field.error("is not a TTL", hint: TimeToLive.hint)
    }
    return ttl
  }

  private static func expectEnd(_ fields: inout FieldReader) throws(FieldError) {
    guard fields.hasMore else { return }
    let field = try fields.next("")
    throw field.error("is one word too many", hint: "Put texts with spaces in quotes; ; begins a comment.")
  }

  private static func typeHint(_ text: Substring) -> String {
    let upper = text.uppercased()
    let near = RecordType.known.map(\.description).first { EditDistance.isAtMostOne(upper, $0) }
    if let near { return "Did you mean \(near)?" }
    return "Common types: A, AAAA, CNAME, TXT, HTTPS, SVCB, NS, MX, SRV, CAA; others as TYPE123 \\# 2 abcd."
  }

  private mutating func warn(_ line: Int, _ message: String) {
    warnings.append(ZoneFile.Warning(line: line, message: ZoneFileError.printable(message)))
  }
}

/// How far two words are apart.
enum EditDistance {
  /// True if one change, insertion, removal or swap of neighbours turns one word into the other.
  static func isAtMostOne(_ left: String, _ right: String) -> Bool {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    guard abs(left.count - right.count) <= 1 else { return false }
    let common = zip(left, right).prefix { $0 == $1 }.count
    let leftRest = left.dropFirst(common)
    let rightRest = right.dropFirst(common)
    if left.count > right.count { return leftRest.dropFirst() == rightRest }
    if left.count < right.count { return leftRest == rightRest.dropFirst() }
    return leftRest.dropFirst().elementsEqual(rightRest.dropFirst())
      || leftRest.count >= 2 && leftRest.prefix(2).reversed().elementsEqual(rightRest.prefix(2))
        && leftRest.dropFirst(2).elementsEqual(rightRest.dropFirst(2))
  }
}
