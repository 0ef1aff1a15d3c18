import DNSResolution
import DNSWire
import EventLoops
import Logging
import PlainText
import Synchronization

/// A line for each query, if that is wanted; clients are named only if that is wanted as well.
final class QueryLog: Sendable {
  /// What is written.
  struct Settings: Hashable, Sendable {
    /// Whether anything is.
    var isOn = false
    /// Whether the address of the client is.
    var namesClients = false
  }

  private let logger: LockedValue<Logger>
  private let on: Atomic<Bool>
  private let clients: Atomic<Bool>

  init(_ logger: Logger, _ settings: Settings) {
    self.logger = LockedValue(logger)
    on = Atomic(settings.isOn)
    clients = Atomic(settings.namesClients)
  }

  /// True if queries are written: cheap to ask.
  var isOn: Bool { on.load(ordering: .relaxed) }

  func change(_ new: Logger, _ settings: Settings) {
    logger.withLock { $0 = new }
    on.store(settings.isOn, ordering: .relaxed)
    clients.store(settings.namesClients, ordering: .relaxed)
  }

  /// Writes one query and what became of it.
  func write(_ query: RawSpan, _ reply: UnsafeRawBufferPointer, _ origin: QueryOrigin, _ elapsed: Duration) {
    let question = FirstQuestion(query)
    let code = reply.count > 3 ? Int(reply[3] & 15) : -1
    let client = clients.load(ordering: .relaxed) ? JSON.string(origin.client.address.description) : .null
    let microseconds = elapsed.components.seconds * 1_000_000 + elapsed.components.attoseconds / 1_000_000_000_000
    logger.withLock { $0 }.notice(
      "dns.query",
      [
        "name": .string(question?.name.description ?? "?"), "type": .string(question?.type.description ?? "?"),
        "transport": .string("\(origin.transport)"), "code": JSON(code), "bytes": JSON(reply.count),
        "microseconds": JSON(microseconds), "client": client,
      ])
  }
}

/// The first question of a message, whatever its type and class are.
struct FirstQuestion {
  let name: DomainName
  let type: RecordType
  let classNumber: UInt16
  /// Where the records begin if this is the only question.
  let end: Int

  /// Nil if there is none that can be read.
  init?(_ message: RawSpan) {
    guard let end = Self.end(in: message) else { return nil }
    var labels: [[UInt8]] = []
    var offset = MessageHeader.length
    while offset < end - 5 {
      let length = Int(message.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
      labels.append(message.extracting((offset + 1)..<(offset + 1 + length)).withUnsafeBytes { [UInt8]($0) })
      offset += 1 + length
    }
    guard let name = try? DomainName(labels: labels) else { return nil }
    self.name = name
    self.end = end
    type = RecordType(
      rawValue: UInt16(bigEndian: message.unsafeLoadUnaligned(fromUncheckedByteOffset: end - 4, as: UInt16.self)))
    classNumber = UInt16(bigEndian: message.unsafeLoadUnaligned(fromUncheckedByteOffset: end - 2, as: UInt16.self))
  }

  /// Where the first question ends; nil if there is none that can be read.
  static func end(in message: RawSpan) -> Int? {
    var offset = MessageHeader.length
    while offset < message.byteCount {
      let length = Int(message.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
      offset += 1
      if length == 0 { return offset + 4 <= message.byteCount ? offset + 4 : nil }
      // The name of the first question has nothing before it to point to.
      guard length < 64 else { return nil }
      offset += length
      guard offset - MessageHeader.length < DomainName.maximumLength else { return nil }
    }
    return nil
  }
}
