import Addresses
import Bencode
import Cryptography
import MainlineProtocol

/// A peer that answers by a script: an attacker, or a program with a quirk.
public struct ScriptedPeer {
  /// Where it listens.
  public let endpoint: Endpoint
  /// What it sends for each datagram that reaches it.
  public let answer: (_ datagram: [UInt8], _ sender: Endpoint, _ random: inout RandomSource) -> [ScriptedDatagram]

  /// A peer that sees datagrams as they are.
  public init(
    at endpoint: Endpoint,
    answer: @escaping (_ datagram: [UInt8], _ sender: Endpoint, _ random: inout RandomSource) -> [ScriptedDatagram]
  ) {
    self.endpoint = endpoint
    self.answer = answer
  }

  /// A peer that answers queries; it ignores all else.
  public init(
    at endpoint: Endpoint,
    answeringQueries answer: @escaping (_ query: ScriptedQuery, _ random: inout RandomSource) -> [ScriptedDatagram]
  ) {
    self.init(at: endpoint) { datagram, sender, random in
      guard let query = ScriptedQuery(datagram, from: sender, to: endpoint) else { return [] }
      return answer(query, &random)
    }
  }
}

/// What a scripted peer sends.
public struct ScriptedDatagram {
  /// Whom it claims to come from.
  public var sender: Endpoint
  /// Where it goes.
  public var receiver: Endpoint
  /// The bytes.
  public var bytes: [UInt8]
  /// How long it waits before it sends.
  public var pause = Duration.zero

  /// A datagram that claims to come from `sender`.
  public init(from sender: Endpoint, to receiver: Endpoint, bytes: [UInt8]) {
    self.sender = sender
    self.receiver = receiver
    self.bytes = bytes
  }
}

/// A KRPC query as a scripted peer sees it.
public struct ScriptedQuery {
  /// The name of the method.
  public let method: String
  /// `a`
  public let arguments: [[UInt8]: BencodeValue]
  /// `t`
  public let transaction: [UInt8]
  /// Who asks.
  public let sender: Endpoint
  /// Who is asked.
  public let receiver: Endpoint

  /// Reads a query; nil for everything else.
  public init?(_ datagram: [UInt8], from sender: Endpoint, to receiver: Endpoint) {
    guard case .dictionary(let fields)? = try? BencodeValue(datagram), case .string([UInt8(ascii: "q")])? = fields["y"],
      case .string(let method)? = fields["q"], case .string(let transaction)? = fields["t"],
      case .dictionary(let arguments)? = fields["a"]
    else { return nil }
    self.method = String(decoding: method, as: UTF8.self)
    self.arguments = arguments
    self.transaction = transaction
    self.sender = sender
    self.receiver = receiver
  }

  /// An argument that is a string.
  public func string(_ name: String) -> [UInt8]? {
    if case .string(let bytes)? = arguments[Array(name.utf8)] { bytes } else { nil }
  }

  /// The target or info-hash.
  public var target: NodeID? { (string("target") ?? string("info_hash")).flatMap { NodeID($0) } }

  /// A response with these results, from the peer that was asked unless another is named.
  public func response(_ results: [String: BencodeValue], from other: Endpoint? = nil) -> ScriptedDatagram {
    let results = Dictionary(uniqueKeysWithValues: results.map { (Array($0.utf8), $1) })
    return message(["r": .dictionary(results), "y": .string([UInt8(ascii: "r")])], other)
  }

  /// An error, from the peer that was asked.
  public func error(_ code: Int64, _ text: String) -> ScriptedDatagram {
    message(["e": .list([.integer(code), .string(Array(text.utf8))]), "y": .string([UInt8(ascii: "e")])], nil)
  }

  private func message(_ fields: [String: BencodeValue], _ other: Endpoint?) -> ScriptedDatagram {
    var all = Dictionary(uniqueKeysWithValues: fields.map { (Array($0.utf8), $1) })
    all[Array("t".utf8)] = .string(transaction)
    return ScriptedDatagram(from: other ?? receiver, to: sender, bytes: BencodeValue.dictionary(all).encoded)
  }
}

extension [[UInt8]: BencodeValue] {
  fileprivate subscript(name: String) -> BencodeValue? { self[Array(name.utf8)] }
}

extension NodeContact {
  /// The compact form of BEP 5 and BEP 32: id, address, port.
  public var compact: [UInt8] {
    id.bytes + endpoint.address.bytes + [UInt8(endpoint.port >> 8), UInt8(truncatingIfNeeded: endpoint.port)]
  }
}

// MARK: - Asking

extension ScriptedQuery {
  /// The transaction id of what scripts ask.
  static let ownTransaction = Array("zzzz".utf8)

  /// The bytes of a query of a node with this id.
  static func message(_ method: String, _ arguments: [String: BencodeValue], as id: NodeID) -> [UInt8] {
    var all = Dictionary(uniqueKeysWithValues: arguments.map { (Array($0.utf8), $1) })
    all[Array("id".utf8)] = .string(id.bytes)
    return BencodeValue.dictionary([
      Array("a".utf8): .dictionary(all), Array("q".utf8): .string(Array(method.utf8)),
      Array("t".utf8): .string(ownTransaction), Array("y".utf8): .string(Array("q".utf8)),
    ]).encoded
  }

  /// The bytes of a `find_node` query.
  static func find(_ target: NodeID, as id: NodeID) -> [UInt8] {
    message("find_node", ["target": .string(target.bytes)], as: id)
  }
}
