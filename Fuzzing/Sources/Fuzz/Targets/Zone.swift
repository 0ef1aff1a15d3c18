import DNSWire

extension FuzzTarget {
  /// Zone files: what is read is written as text that is read to the same records; errors point into the text.
  static let zone = FuzzTarget(name: "zone", maximumLength: 1024) { input in
    let text = String(decoding: input, as: UTF8.self)
    let origin = try! DomainName("8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo")
    let zone: ZoneFile
    do throws(ZoneFileError) {
      zone = try ZoneFile.parse(text, origin: origin, keepsSOA: true)
    } catch {
      checkError(error)
      return
    }
    let records = zone.records.map(\.record)
    let written = ZoneFile.text(for: records, origin: origin)
    let again: ZoneFile
    do throws(ZoneFileError) {
      again = try ZoneFile.parse(written, origin: origin, keepsSOA: true)
    } catch {
      fatalError("what was written is not read: \(error)\n\(written)")
    }
    require(again.records.map(\.record) == records, "zone text is read to other records:\n\(written)")
    require(ZoneFile.text(for: again.records.map(\.record), origin: origin) == written, "not always written alike")
    checkWire(records)
  }

  private static func checkError(_ error: ZoneFileError) {
    require(error.line >= 0 && error.column >= 0 && error.length >= 0, "an error at no place: \(error)")
    require(!error.message.isEmpty && !error.report(file: "zone").isEmpty, "an error without words")
  }

  /// What a zone says can be sent, and comes back.
  private static func checkWire(_ records: [ResourceRecord]) {
    guard let bytes = try? Message(answers: records).encoded() else { return }
    guard let message = try? Message(parsing: bytes) else { fatalError("a zone makes a message that is not read") }
    require(message.answers == records, "a zone's records change on the wire")
  }
}
