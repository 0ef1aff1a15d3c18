/// Why records do not make a signed packet.
public enum SignedPacketBuildError: Error, Hashable, Sendable {
  /// The DNS packet would be `length` bytes, more than 1000; `largest` is the record that takes most of them.
  case packetTooLarge(length: Int, largest: LargestRecord?)
  /// The owner name is not one that may be published.
  case invalidName(String, DomainNameError)
  /// The data of a record cannot be written.
  case invalidData(name: String, type: RecordType, DataFault)
  /// This many records, more than a message can hold.
  case tooManyRecords(Int)

  /// A record that takes much of a packet.
  public struct LargestRecord: Hashable, Sendable {
    /// Its name, relative to the key.
    public let name: String
    /// Its type.
    public let type: RecordType
    /// About how many bytes it takes of the packet.
    public let length: Int
  }

  /// What is wrong with the data of a record.
  public enum DataFault: Hashable, Sendable {
    /// A text that is not an address of the family that the type asks for.
    case notAnAddress(String)
    /// A text that is not a domain name.
    case notAName(String, DomainNameError)
    /// A string of this many bytes, more than 255.
    case stringTooLong(Int)
    /// A parameter of a service binding.
    case parameter(ServiceBindingError)
  }
}

extension SignedPacketBuildError.LargestRecord {
  /// The record that takes most bytes, its name counted without the key; nil if there are none.
  init?(of records: [ResourceRecord], below apex: DomainName) {
    let sizes = records.lazy.map { record in
      // Name, type, class, time to live, length and data. What ends in the key does so with a pointer of two bytes.
      let nameLength = record.name.removingSuffix(apex).map { $0.wire.count + 1 } ?? record.name.wire.count
      return nameLength + 10 + (record.data.wire?.count ?? .max / 2)
    }
    guard let (index, length) = sizes.enumerated().max(by: { $0.element < $1.element }) else { return nil }
    self.init(
      name: PublicKey.relativeName(of: records[index].name, below: apex), type: records[index].type, length: length)
  }
}

extension SignedPacketBuildError: CustomStringConvertible {
  /// The error's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .packetTooLarge: "PacketTooLarge"
    case .invalidName, .invalidData, .tooManyRecords: "FailedToWrite"
    }
  }

  /// What is wrong and what to do, for a person.
  public var description: String {
    switch self {
    case .packetTooLarge(let length, let largest):
      let limit = SignedPacket.maximumMessageLength
      let culprit = largest.map { "The largest: \($0.type) \($0.name) (\(Self.grouped($0.length)) bytes). " } ?? ""
      return "the record is \(Self.grouped(length)) bytes, \(Self.grouped(length - limit)) too many\n\(culprit)"
        + "A packet holds \(Self.grouped(limit)) bytes of DNS data; put long texts elsewhere and point to them."
    case .invalidName(let name, let error): return "\"\(name)\" is not a name to publish: \(error)"
    case .invalidData(let name, let type, let fault): return "the \(type) record \"\(name)\" \(fault)"
    case .tooManyRecords(let count): return "\(Self.grouped(count)) records; a packet holds 65,535 at the very most"
    }
  }

  /// `1,038`
  private static func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude).utf8)
    var text: [UInt8] = []
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(UInt8(ascii: ",")) }
      text.append(digit)
    }
    return (number < 0 ? "-" : "") + String(decoding: text, as: UTF8.self)
  }
}

extension SignedPacketBuildError.DataFault: CustomStringConvertible {
  /// What is wrong, to stand behind the name of the record.
  public var description: String {
    switch self {
    case .notAnAddress(let text): "has \"\(text)\", which is not an address of its type"
    case .notAName(let text, let error): "points to \"\(text)\": \(error)"
    case .stringTooLong(let count): "has a string of \(count) bytes; at most 255 are allowed"
    case .parameter(let error): "has a parameter that cannot be set: \(error)"
    }
  }
}
