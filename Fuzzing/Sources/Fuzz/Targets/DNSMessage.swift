import DNSWire
import WireFormat

extension FuzzTarget {
  /// DNS messages: the walk and the parser accept the same, and what they accept is written and read again unchanged.
  static let dns = FuzzTarget(name: "dns", maximumLength: 1500) { input in
    let bytes = [UInt8](input)
    let walks = (try? MessageView.validate(bytes.span.bytes)) != nil
    guard let message = try? Message(parsing: bytes) else {
      require(!walks, "the walk accepts what the parser refuses")
      return
    }
    require(walks, "the parser accepts what the walk refuses")
    checkWriting(message)
    for record in message.answers { checkRecord(record) }
  }

  private static func checkWriting(_ message: Message) {
    do throws(MessageEncodingError) {
      let written = try message.encoded()
      guard let again = try? Message(parsing: written) else { fatalError("a written message is not read") }
      require(again == message, "a message is read differently from what was written")
      require((try? again.encoded()) == written, "a message is not always written alike")
    } catch {
      // Pointers can stand for more than a message can hold in full.
      guard case .tooLong(let length) = error else { fatalError("a parsed message has too many records") }
      require(length > 65535, "a message of \(length) bytes is refused as too long")
    }
  }

  private static func checkRecord(_ record: ResourceRecord) {
    let name = record.name
    require((try? DomainName(name.description)) == name, "the name \(name) is not read as it was written")
    require((try? DomainName(name.absoluteDescription)) == name, "the absolute name \(name) is not read as written")
    require(!record.data.presentation.isEmpty || record.data == .empty(record.type), "data without a text form")
    guard let wire = record.data.wire else { return }
    require(wire.isEmpty || (try? RecordData(record.type, wire: wire)) == record.data, "data are not read as written")
  }
}
