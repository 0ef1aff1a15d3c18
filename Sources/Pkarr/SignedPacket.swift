import Cryptography
@_exported import DNSWire
import WireFormat

/// The DNS records that the owner of a key has published, with his signature.
///
/// A packet is one whole zone at one moment: publishing a newer one replaces it, records that are left out are gone. Its
/// canonical form is
///
/// | offset | bytes | |
/// | --- | --- | --- |
/// | 0 | 32 | public key |
/// | 32 | 64 | Ed25519 signature of what BEP 44 signs: `3:seqi` timestamp `e1:v` length `:` DNS packet |
/// | 96 | 8 | timestamp, microseconds since 1970, big-endian |
/// | 104 | 0…1000 | DNS packet: a message whose answer section holds the records |
///
/// Reading one checks the signature and that the DNS packet is well formed (`init(_:lastSeen:)`); making one is a list
/// of records:
///
///     let packet = try SignedPacket(signedBy: keypair) {
///       TXT("_hello", "world", ttl: .minutes(5))
///       A("www", "203.0.113.7", ttl: .hours(1))
///     }
///
/// Two packets are equal if their bytes and ``lastSeen`` are; see ``isSame(as:)`` for the bytes alone.
public struct SignedPacket: Hashable, Sendable {
  /// The canonical form, 104…1104 bytes.
  public let bytes: [UInt8]
  /// The key that signed.
  public let publicKey: PublicKey
  /// When this packet was last seen on the network: what its records' age is counted from. Not signed.
  public var lastSeen: Timestamp

  /// Most bytes of a DNS packet.
  public static let maximumMessageLength = 1000
  /// Bytes of the canonical form in front of the DNS packet: key, signature and timestamp.
  public static let prefixLength = 104
  /// Most bytes of the canonical form.
  public static let maximumLength = prefixLength + maximumMessageLength
  /// Most bytes of the form without the key, the body of a relay's requests and answers.
  public static let maximumRelayPayloadLength = maximumLength - 32

  /// Takes canonical bytes that were checked.
  init(checked bytes: [UInt8], publicKey: PublicKey, lastSeen: Timestamp) {
    self.bytes = bytes
    self.publicKey = publicKey
    self.lastSeen = lastSeen
  }
}

// MARK: - Parts and forms

extension SignedPacket {
  /// The signature, 64 bytes.
  public var signature: Ed25519.Signature {
    guard let signature = Ed25519.Signature(bytes.span.bytes.extracting(32..<96)) else {
      preconditionFailure("64 bytes are a signature")
    }
    return signature
  }

  /// When it was signed, and so its version: the larger one is the newer packet.
  public var timestamp: Timestamp {
    guard let timestamp = Timestamp(bytes.span.bytes.extracting(96..<104)) else {
      preconditionFailure("8 bytes are a timestamp")
    }
    return timestamp
  }

  /// The DNS packet, lent.
  public var messageSpan: RawSpan {
    @_lifetime(borrow self) borrowing get {
      let span = bytes.span.bytes
      return _overrideLifetime(span.extracting(Self.prefixLength..<span.byteCount), borrowing: self)
    }
  }

  /// The DNS packet, at most 1000 bytes.
  public var messageBytes: [UInt8] { Array(bytes[Self.prefixLength...]) }

  /// The form that relays exchange, 72…1072 bytes: canonical without the key.
  public var relayPayload: [UInt8] { Array(bytes[32...]) }

  /// The form for storage, 112…1112 bytes: ``lastSeen`` in 8 bytes big-endian, then the canonical form.
  public var cachedForm: [UInt8] { lastSeen.bytes + bytes }

  /// What the signature covers (BEP 44 without salt).
  public var signableBytes: [UInt8] { Self.signableBytes(timestamp: timestamp, message: messageSpan) }

  /// What a signature of a DNS packet covers (BEP 44 without salt): `3:seqi` timestamp `e1:v` length `:` packet, both
  /// numbers in unsigned decimal.
  public static func signableBytes(timestamp: Timestamp, message: RawSpan) -> [UInt8] {
    let signable = [UInt8](upTo: message.byteCount + 64) { (writer: inout WireWriter) in
      writer.write("3:seqi")
      writer.writeDecimal(timestamp.microseconds)
      writer.write("e1:v")
      writer.writeDecimal(UInt64(message.byteCount))
      writer.write(UInt8(ascii: ":"))
      writer.write(message)
    }
    guard let signable else { preconditionFailure("two numbers fit into 64 bytes") }
    return signable
  }

  /// Says that the packet was seen now.
  public mutating func refresh(at now: Timestamp = .wallClock) { lastSeen = now }
}

// MARK: - Reach

extension SignedPacket {
  /// How much of the DHT takes a packet of this size.
  public enum Reach: Hashable, Sendable {
    /// Every node: at most 996 bytes of DNS packet, which are 1000 when bencoded (BEP 44).
    case everybody
    /// Only nodes that count the 1000 bytes without bencoding; libtorrent's refuse it with error 205.
    case someNodes
  }

  /// Most bytes of a DNS packet that every node of the DHT stores.
  public static let everybodyMessageLength = 996

  /// How much of the DHT takes this packet.
  public var reach: Reach {
    bytes.count - Self.prefixLength <= Self.everybodyMessageLength ? .everybody : .someNodes
  }
}
