/// Why bytes are not a DNS message, and where.
public struct MessageError: Error, Hashable, Sendable {
  /// Byte offset in the message at which it went wrong.
  public let offset: Int
  /// What is wrong there.
  public let reason: Reason

  /// The ways in which a message can be malformed.
  public enum Reason: Hashable, Sendable {
    /// The message ends inside of a field, or its header announces more records than can follow.
    case truncated
    /// The reserved header bit Z is set.
    case reservedBit
    /// A label length above 63 that is not a pointer.
    case labelTooLong
    /// A name longer than 255 bytes, or a compression loop, which looks the same.
    case nameTooLong
    /// A compression pointer that does not point strictly before itself.
    case pointerNotBackwards
    /// More compression pointers than any message needs: an attack on whoever follows them.
    case tooManyPointers
    /// A question for a type that the reference does not know.
    case unknownQuestionType(RecordType)
    /// A class other than IN, CS, CH, HS and NONE (in questions also ANY).
    case unknownClass(RecordClass)
    /// The data of a record go beyond the end of the message.
    case recordDataBeyondEnd
    /// The data of a record end inside of a field of its type.
    case recordDataTooShort
    /// SVCB or HTTPS parameters that are not in strictly ascending order of their keys.
    case parameterOrder
    /// A value inside of the data that the type does not allow, such as an inner length that disagrees.
    case badRecordData
  }

  @inline(__always)
  init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}

extension MessageError: CustomStringConvertible {
  /// What is wrong and where, for a person.
  public var description: String { "\(reason.text) at byte \(offset)" }
}

extension MessageError.Reason {
  fileprivate var text: String {
    switch self {
    case .truncated: "the message ends too early"
    case .reservedBit: "the reserved header bit is set"
    case .labelTooLong: "a label is longer than 63 bytes"
    case .nameTooLong: "a name is longer than 255 bytes or points in a circle"
    case .pointerNotBackwards: "a name points forward"
    case .tooManyPointers: "too many name pointers"
    case .unknownQuestionType(let type): "a question for the unknown type \(type.rawValue)"
    case .unknownClass(let value): "the unknown class \(value.rawValue)"
    case .recordDataBeyondEnd: "the data of a record go beyond the end of the message"
    case .recordDataTooShort: "the data of a record are too short for its type"
    case .parameterOrder: "service parameters are not in ascending order"
    case .badRecordData: "the data of a record do not fit its type"
    }
  }
}
