import Addresses
import Bencode
import WireFormat

/// What benchmarks measure below the public surface: reading and writing one message.
@_spi(Benchmarks) public enum KRPCProbe {
  /// The fields of an answer to `get` that holds a mutable item.
  public struct GetReply: Sendable {
    var observed = Endpoint(.loopbackV4, port: 6881)
    var id = NodeID.zero
    var key: [UInt8]
    var nodes: [NodeContact]
    var seq: Int64
    var signature: [UInt8]
    var token: UInt64
    var value: [UInt8]
    var transaction: [UInt8]

    /// A reply with eight nodes and a value of 1000 bytes in all.
    public init(random bytes: (Int) -> [UInt8]) {
      key = bytes(32)
      nodes = (0..<8).map { index in
        NodeContact(
          id: NodeID(bytes(20))!, endpoint: Endpoint(IPAddress(v4: 0xc000_0200 | UInt32(index)), port: 6881))
      }
      seq = 1_700_000_000_123_456
      signature = bytes(64)
      token = 0x0123_4567_89ab_cdef
      value = ItemValue.encoding(byteString: bytes(996))
      transaction = bytes(4)
    }

    /// Writes the datagram, field by field as ``DHTNode`` does.
    @inline(never)
    public func write(to writer: inout WireWriter) {
      writer.beginResponse(observed: observed, id: id)
      writer.write("1:k32:")
      writer.write(key)
      writer.write("5:nodes")
      writer.writeDecimal(UInt64(nodes.count * CompactNode.size(.ipv4)))
      writer.write(":")
      for node in nodes { writer.write(node) }
      writer.write("3:seq")
      writer.writeBencoded(seq)
      writer.write("3:sig64:")
      writer.write(signature)
      writer.write("5:token8:")
      writer.write(token)
      writer.write("1:v")
      writer.write(value)
      writer.endResponse(transaction: transaction.span.bytes, version: [0x53, 0x57, 0, 1])
    }
  }

  /// Reads a datagram into typed fields, and adds up their sizes; nil if it is no message.
  @inline(never)
  public static func parse(_ datagram: RawSpan) -> Int? {
    var message = KRPCMessage()
    guard KRPCParser.parse(datagram, into: &message) else { return nil }
    let body = message.body
    return Int(message.transaction.count) &+ Int(body.id.count) &+ Int(body.token.count) &+ Int(body.nodes.count)
      &+ Int(body.key.count) &+ Int(body.signature.count) &+ Int(body.value.count) &+ (body.seq == nil ? 0 : 1)
  }
}
