import Addresses
import Bencode
import WireFormat

/// A query as the node sends it (BEP 5, BEP 44).
enum OutgoingQuery: Sendable {
  case ping
  case findNode(NodeID)
  case getPeers(NodeID)
  case get(NodeID, seq: Int64?)
  /// `port` nil: the port that the datagram comes from (`implied_port`).
  case announcePeer(NodeID, port: UInt16?, token: [UInt8])
  case putImmutable(ImmutableItem, token: [UInt8])
  case putMutable(MutableItem, cas: Int64?, token: [UInt8])

  /// What every query of one node has in common.
  struct Envelope {
    let id: NodeID
    let isReadOnly: Bool
    let version: [UInt8]
    /// Ask for nodes of both families (`want`, BEP 32).
    let wantsBothFamilies: Bool
  }

  /// True for the methods that name nodes: they carry `want`.
  private var isLookup: Bool {
    switch self {
    case .findNode, .getPeers, .get: true
    default: false
    }
  }

  /// Writes the datagram, keys in canonical order.
  func write(to writer: inout WireWriter, transaction: UInt32, envelope: Envelope) {
    writer.write("d1:ad")
    writeArguments(to: &writer, envelope: envelope)
    if envelope.wantsBothFamilies, isLookup { writer.write("4:wantl2:n42:n6e") }
    writer.write("e1:q")
    writeMethod(to: &writer)
    if envelope.isReadOnly { writer.write("2:roi1e") }
    writer.write("1:t4:")
    writer.write(transaction)
    writer.writeVersion(envelope.version)
    writer.write("1:y1:qe")
  }

  private func writeMethod(to writer: inout WireWriter) {
    switch self {
    case .ping: writer.write("4:ping")
    case .findNode: writer.write("9:find_node")
    case .getPeers: writer.write("9:get_peers")
    case .get: writer.write("3:get")
    case .announcePeer: writer.write("13:announce_peer")
    case .putImmutable, .putMutable: writer.write("3:put")
    }
  }

  private func writeArguments(to writer: inout WireWriter, envelope: Envelope) {
    switch self {
    case .ping: writer.writeID(envelope.id)
    case .findNode(let target):
      writer.writeID(envelope.id)
      writer.writeTarget(target)
    case .getPeers(let infoHash):
      writer.writeID(envelope.id)
      writer.write("9:info_hash20:")
      infoHash.write(to: &writer)
    case .get(let target, let seq):
      writer.writeID(envelope.id)
      if let seq {
        writer.write("3:seq")
        writer.writeBencoded(seq)
      }
      writer.writeTarget(target)
    case .announcePeer(let infoHash, let port, let token):
      writer.writeID(envelope.id)
      writer.write(port == nil ? "12:implied_porti1e9:info_hash20:" : "12:implied_porti0e9:info_hash20:")
      infoHash.write(to: &writer)
      writer.write("4:port")
      writer.writeBencoded(Int64(port ?? 0))
      writer.writeToken(token)
    case .putImmutable(let item, let token):
      writer.writeID(envelope.id)
      writer.writeTarget(item.target)
      writer.writeToken(token)
      writer.write("1:v")
      writer.write(item.value)
    case .putMutable(let item, let cas, let token):
      Self.writeMutable(item, cas: cas, token: token, id: envelope.id, to: &writer)
    }
  }

  private static func writeMutable(
    _ item: MutableItem, cas: Int64?, token: [UInt8], id: NodeID, to writer: inout WireWriter
  ) {
    if let cas {
      writer.write("3:cas")
      writer.writeBencoded(cas)
    }
    writer.writeID(id)
    writer.write("1:k32:")
    item.key.withUnsafeBytes { writer.write($0) }
    if !item.salt.isEmpty {
      writer.write("4:salt")
      writer.writeBencoded(item.salt)
    }
    writer.write("3:seq")
    writer.writeBencoded(item.seq)
    writer.write("3:sig64:")
    item.signature.withUnsafeBytes { writer.write($0) }
    writer.writeTarget(item.target)
    writer.writeToken(token)
    writer.write("1:v")
    writer.write(item.value)
  }
}

extension WireWriter {
  fileprivate mutating func writeID(_ id: NodeID) {
    write("2:id20:")
    id.write(to: &self)
  }

  fileprivate mutating func writeTarget(_ target: NodeID) {
    write("6:target20:")
    target.write(to: &self)
  }

  fileprivate mutating func writeToken(_ token: [UInt8]) {
    write("5:token")
    writeBencoded(token)
  }

  @inline(__always)
  fileprivate mutating func writeVersion(_ version: [UInt8]) {
    write("1:v")
    writeBencoded(version)
  }

  /// Begins a response (BEP 5) up to the responder's id; the results follow in ascending order of their keys.
  @inline(__always)
  mutating func beginResponse(observed: Endpoint, id: NodeID) {
    write("d")
    writeObserved(observed)
    write("1:rd2:id20:")
    id.write(to: &self)
  }

  /// Ends a response.
  @inline(__always)
  mutating func endResponse(transaction: RawSpan, version: [UInt8]) {
    write("e1:t")
    writeBencoded(transaction)
    writeVersion(version)
    write("1:y1:re")
  }

  /// Writes an error message (BEP 5, BEP 44).
  mutating func writeError(_ error: KRPCError, observed: Endpoint, transaction: RawSpan, version: [UInt8]) {
    write("d1:eli")
    writeDecimal(error.rawValue)
    write("e")
    writeBencoded(Array(error.text.utf8))
    write("e")
    writeObserved(observed)
    write("1:t")
    writeBencoded(transaction)
    writeVersion(version)
    write("1:y1:ee")
  }

  /// `ip`: the querier's endpoint as we see it (BEP 42).
  @inline(__always)
  private mutating func writeObserved(_ endpoint: Endpoint) {
    if endpoint.address.isIPv4 { write("2:ip6:") } else { write("2:ip18:") }
    write(endpoint)
  }
}

/// Error codes of BEP 5 and BEP 44.
enum KRPCError: Int, Error, Sendable {
  case generic = 201
  case server = 202
  case `protocol` = 203
  case unknownMethod = 204
  case valueTooBig = 205
  case invalidSignature = 206
  case saltTooBig = 207
  case casMismatch = 301
  case seqTooLow = 302

  /// Short ASCII; the code is what counts.
  var text: String {
    switch self {
    case .generic: "Generic Error"
    case .server: "Server Error"
    case .protocol: "Protocol Error"
    case .unknownMethod: "Method Unknown"
    case .valueTooBig: "value too big"
    case .invalidSignature: "invalid signature"
    case .saltTooBig: "salt too big"
    case .casMismatch: "CAS mismatch"
    case .seqTooLow: "seq less than current"
    }
  }
}
