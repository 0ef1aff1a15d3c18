import Pkarr
import WireFormat

/// The bytes of a file that holds one signed packet, in any form in which packets are kept: canonical, as in caches (with
/// eight bytes in front), as relays send it (without the key, which the file's name then tells), and each of them in
/// hexadecimal.
public enum PacketFileForm {
  /// Most bytes of such a file: hexadecimal digits of the longest form, and an end of line.
  public static let maximumLength = 2 * (SignedPacket.maximumLength + 8) + 2

  /// The packet; nil if the bytes are none in any form, or its signature does not fit.
  ///
  /// - Parameter name: The file's name, which may be a key.
  public static func packet(_ bytes: [UInt8], named name: String) -> SignedPacket? {
    guard bytes.count <= maximumLength else { return nil }
    if let packet = binaryPacket(bytes, named: name) { return packet }
    var digits = bytes[...]
    while let last = digits.last, last <= 0x20 { digits.removeLast() }
    guard let text = String(validating: digits, as: UTF8.self), let decoded = Hex.decode(text) else { return nil }
    return binaryPacket(decoded, named: name)
  }

  private static func binaryPacket(_ bytes: [UInt8], named name: String) -> SignedPacket? {
    if let packet = try? SignedPacket(bytes) { return packet }
    if bytes.count > 8, let packet = try? SignedPacket(Array(bytes[8...])) { return packet }
    guard let key = try? PublicKey(parsing: String(name.prefix { $0 != "." })) else { return nil }
    return try? SignedPacket(relayPayload: bytes, publicKey: key)
  }
}
