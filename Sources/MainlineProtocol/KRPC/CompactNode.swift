import Addresses
import WireFormat

/// The compact forms of BEP 5 and BEP 32: id, address and port without separators, big-endian.
enum CompactNode {
  /// Bytes of one entry: 26 in `nodes`, 38 in `nodes6`.
  @inline(__always)
  static func size(_ family: IPAddress.Family) -> Int { NodeID.byteCount + endpointSize(family) }

  /// Bytes of one peer: 6 or 18.
  @inline(__always)
  static func endpointSize(_ family: IPAddress.Family) -> Int { family == .ipv4 ? 6 : 18 }

  /// Calls `body` for each entry. A list whose size is no multiple of the entry's is ignored as a whole.
  @inline(__always)
  static func forEach(in list: RawSpan, family: IPAddress.Family, _ body: (NodeContact) -> Void) {
    let size = size(family)
    guard list.byteCount % size == 0 else { return }
    list.withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        let entry = bytes.baseAddress! + offset
        body(NodeContact(id: NodeID(loading: entry), endpoint: endpoint(at: entry + NodeID.byteCount, family)))
        offset += size
      }
    }
  }

  /// The endpoint in 6 or 18 bytes; nil for any other number.
  static func endpoint(_ bytes: RawSpan) -> Endpoint? {
    switch bytes.byteCount {
    case 6: bytes.withUnsafeBytes { endpoint(at: $0.baseAddress!, .ipv4) }
    case 18: bytes.withUnsafeBytes { endpoint(at: $0.baseAddress!, .ipv6) }
    default: nil
    }
  }

  @inline(__always)
  private static func endpoint(at bytes: UnsafeRawPointer, _ family: IPAddress.Family) -> Endpoint {
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> T {
      T(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    return switch family {
    case .ipv4: Endpoint(IPAddress(v4: load(0)), port: load(4))
    case .ipv6: Endpoint(IPAddress(high: load(0), low: load(8)), port: load(16))
    }
  }
}

extension WireWriter {
  /// Appends address and port: 6 or 18 bytes.
  @inline(__always)
  mutating func write(_ endpoint: Endpoint) {
    if let v4 = endpoint.address.v4 {
      write(v4)
    } else {
      write(endpoint.address.high)
      write(endpoint.address.low)
    }
    write(endpoint.port)
  }

  /// Appends id, address and port: 26 or 38 bytes.
  @inline(__always)
  mutating func write(_ contact: NodeContact) {
    contact.id.write(to: &self)
    write(contact.endpoint)
  }
}
