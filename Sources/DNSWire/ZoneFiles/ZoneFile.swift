/// Records in the text form of master files (RFC 1035 §5.1).
///
/// What the PKARR reference publishes from a zone file, this reads to the same records in the same order. Beyond it:
/// every record type (others as `TYPE123 \# 2 abcd`), durations with units, `@` as data, and checks. In
/// particular:
///
/// - An explicit TTL and `$TTL` hold until the next one; before the first it is 300 seconds.
/// - Before the first owner it is the origin.
/// - SOA records are read and left out: a signed packet is not transferred between servers.
/// - `$INCLUDE` is refused: a zone is one text.
/// - Names outside of the zone, classes other than IN, and CNAME beside other data are errors.
public struct ZoneFile: Hashable, Sendable {
  /// The records in the order of the text.
  public var records: [Entry]
  /// What is legal but probably not meant.
  public var warnings: [Warning]

  /// A record and where it begins.
  public struct Entry: Hashable, Sendable {
    /// The record; its names are absolute.
    public var record: ResourceRecord
    /// Number of the line, from 1.
    public var line: Int
  }

  /// Something that is legal but probably not meant.
  public struct Warning: Hashable, Sendable, CustomStringConvertible {
    /// Number of the line, from 1.
    public var line: Int
    /// What is odd, for a person.
    public var message: String

    /// `line 7: …`
    public var description: String { "line \(line): \(message)" }
  }

  /// Most bytes that a text may have if nothing else is said: 1 MiB, a thousand times what a packet holds.
  public static let defaultSizeLimit = 1 << 20

  /// Reads a zone.
  ///
  /// - Parameters:
  ///   - text: The zone file; lines end in LF or CR LF.
  ///   - origin: The apex: to this name relative names are relative, and below it all owners must be.
  ///   - defaultTTL: Seconds for records before the first explicit TTL.
  ///   - keepsSOA: True to keep SOA records.
  ///   - sizeLimit: Most UTF-8 bytes that `text` may have.
  /// - Throws: the first thing that is wrong, with its place and what to write instead.
  public static func parse(
    _ text: String, origin: DomainName, defaultTTL: UInt32 = 300, keepsSOA: Bool = false,
    sizeLimit: Int = defaultSizeLimit
  ) throws(ZoneFileError) -> ZoneFile {
    guard text.utf8.count <= sizeLimit else {
      throw ZoneFileError(
        message: "the zone has \(text.utf8.count) bytes; at most \(sizeLimit) are read",
        hint: "A signed packet holds 1000 bytes of records.")
    }
    var text = text
    text.makeContiguousUTF8()
    var scanner = ZoneFileScanner(text)
    var parser = ZoneFileParser(apex: origin, ttl: defaultTTL, keepsSOA: keepsSOA)
    do throws(FieldError) {
      while let entry = try scanner.next() { try parser.read(entry) }
    } catch {
      throw ZoneFileError(error, in: text)
    }
    return ZoneFile(records: parser.records, warnings: parser.warnings)
  }
}

// MARK: - Writing

extension ZoneFile {
  /// The zone file of `records`, one line each in aligned columns, names relative to `origin` where possible.
  ///
  /// Parsing it again with the same origin (and `keepsSOA`) gives the same records, whatever their bytes, if their
  /// class is IN and their owners are below the origin. The cache-flush bit has no text form.
  public static func text(for records: some Sequence<ResourceRecord>, origin: DomainName) -> String {
    let names = NameStyle(origin: origin)
    let lines = records.map { record in
      [
        names.owner(record.name), "\(record.ttl)", record.class == .internet ? "" : "\(record.class)",
        record.type.zoneFileText, record.data.presentation(names),
      ]
    }
    let widths = (0..<4).map { column in lines.map { $0[column].utf8.count }.max() ?? 0 }
    return lines.map { Self.aligned($0, widths) + "\n" }.joined()
  }

  private static func aligned(_ cells: [String], _ widths: [Int]) -> String {
    var line = ""
    for (cell, width) in zip(cells, widths) where width > 0 {
      line += cell
      // A single very long name must not push all other lines out of sight.
      line += String(repeating: " ", count: max(0, min(width, 24) - cell.utf8.count) + 2)
    }
    return line + cells[cells.count - 1]
  }
}

extension RecordType {
  /// The mnemonic, or `TYPE255` where it stands for no type that a zone can hold.
  fileprivate var zoneFileText: String { isMeta ? "TYPE\(rawValue)" : description }

  /// OPT, and what exists in questions only.
  var isMeta: Bool { self == .opt || (249...255).contains(rawValue) }
}
