extension SignedPacket {
  /// The DNS packet with all its sections. Only the answers count.
  public var message: Message {
    guard let message = try? Message(parsing: messageSpan) else { preconditionFailure("the message was checked") }
    return message
  }

  /// All records, in the order of the packet.
  public var records: [ResourceRecord] { message.answers }

  /// Number of records.
  public var recordCount: Int { (try? MessageView(messageSpan).answerCount) ?? 0 }

  /// The records of one name, all types, in the order of the packet.
  ///
  /// The name is relative to the key (`www`, `_http._tcp`, `@` for the apex) or ends in it; see
  /// ``PublicKey/fullName(of:)-(StringProtocol)``. Letters are compared case-sensitively, as everywhere in the network.
  /// A `*` in front stands for anything without a dot: `*.foo` gives the names one label below `foo`, `*` those one label
  /// below the apex. It is part of the question only: a record of `*.foo` is not an answer for `bar.foo`.
  public func records(named name: some StringProtocol) -> [ResourceRecord] { records(named: name) { _ in true } }

  /// The records of one name, as in ``records(named:)``, whose own time to live has not passed since ``lastSeen``.
  public func freshRecords(named name: some StringProtocol, at now: Timestamp = .wallClock) -> [ResourceRecord] {
    let elapsed = elapsed(at: now)
    return records(named: name) { UInt64($0) > elapsed }
  }

  private func records(
    named name: some StringProtocol, ifTTL isWanted: (UInt32) -> Bool
  ) -> [ResourceRecord] {
    let pattern = NamePattern(publicKey.fullName(of: name))
    var found: [ResourceRecord] = []
    // The message was checked, so nothing is thrown here.
    guard var view = try? MessageView(messageSpan) else { return [] }
    for _ in 0..<view.answerCount {
      guard let record = try? view.next() else { break }
      if isWanted(record.ttl), pattern.matches(view.name(of: record)), let copy = try? view.copy(record) {
        found.append(copy)
      }
    }
    return found
  }
}

/// What a query for records asks for, compared with the text of owner names.
private struct NamePattern {
  private let text: [UInt8]
  private let isWildcard: Bool

  /// Takes a full name; a `*` at its start stands for any bytes without a dot.
  init(_ name: String) {
    isWildcard = name.utf8.first == UInt8(ascii: "*")
    text = Array(isWildcard ? name.utf8.dropFirst() : name.utf8[...])
  }

  func matches(_ name: DomainName) -> Bool {
    let owner = Self.text(of: name)
    guard isWildcard else { return owner == text }
    guard owner.count >= text.count, owner.suffix(text.count).elementsEqual(text) else { return false }
    return !owner.dropLast(text.count).contains(UInt8(ascii: "."))
  }

  /// The UTF-8 bytes of `name.text`, without a string for labels in ASCII.
  private static func text(of name: DomainName) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(name.wire.count)
    for label in name.labels {
      if !text.isEmpty { text.append(UInt8(ascii: ".")) }
      if label.allSatisfy({ $0 < 0x80 }) {
        text += label
      } else {
        text += String(decoding: label, as: UTF8.self).utf8
      }
    }
    return text
  }
}
