/// What the records of a zone must and should be to each other, checked as they come.
struct ZoneChecks {
  private struct RecordSet: Hashable {
    let name: DomainName
    let type: RecordType
  }

  private struct Content: Hashable {
    let name: DomainName
    let data: RecordData
  }

  private var seen: [Content: Int] = [:]
  private var ttls: [RecordSet: UInt32] = [:]
  private var aliases: [DomainName: Int] = [:]
  private var others: [DomainName: Int] = [:]

  /// Adds a record; returns what is odd about it.
  ///
  /// - Throws: if a name has a CNAME beside other data (RFC 1034 §3.6.2), or two different ones.
  mutating func add(
    _ record: ResourceRecord, line: Int, at position: FieldError.Position
  ) throws(FieldError) -> [String] {
    if let first = seen.updateValue(line, forKey: Content(name: record.name, data: record.data)) {
      return ["the record is the same as that of line \(first)"]
    }
    if let other = record.type == .cname
      ? aliases[record.name] ?? others[record.name] : aliases[record.name]
    {
      throw FieldError(
        position: position, message: "a name with a CNAME cannot have other records, but see line \(other)",
        hint: "Remove the CNAME, or move the other records to the name that it points to.")
    }
    if record.type == .cname { aliases[record.name] = line } else { others[record.name] = line }
    let set = RecordSet(name: record.name, type: record.type)
    if let ttl = ttls[set], ttl != record.ttl {
      return ["\(record.type) records of one name should have one TTL (RFC 2181 §5.2), not \(ttl) and \(record.ttl)"]
    }
    ttls[set] = record.ttl
    return []
  }
}
