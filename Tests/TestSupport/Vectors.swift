import Foundation
import WireFormat

/// Test vectors: JSON files below `Vectors/`, published by others or captured from other programs (each names its source).
public enum Vectors {
  /// The text of one file, for programs that read JSON themselves.
  public static func text(_ path: String) throws -> String {
    try String(contentsOf: Bundle.module.resourceURL!.appending(path: "Vectors/\(path)"), encoding: .utf8)
  }

  /// Decodes one file, for example `pkarr/keys.json`; `.convertFromSnakeCase` reads `dns_packet_hex` as `dnsPacketHex`.
  public static func load<T: Decodable>(
    _ path: String, as type: T.Type = T.self, keys: JSONDecoder.KeyDecodingStrategy = .useDefaultKeys
  ) throws -> T {
    let url = Bundle.module.resourceURL!.appending(path: "Vectors/\(path)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = keys
    return try decoder.decode(T.self, from: Data(contentsOf: url))
  }
}

/// Bytes that a vector file spells in hexadecimal.
public struct HexBytes: Decodable, Hashable, Sendable {
  /// The bytes.
  public let bytes: [UInt8]

  /// Reads a string of hexadecimal digits.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let bytes = Hex.decode(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not hexadecimal")
    }
    self.bytes = bytes
  }
}

/// Where the scripts are that drive foreign programs.
public enum Peers {
  /// Path of a script below `Peers/`.
  public static func path(_ name: String) -> String {
    Bundle.module.resourceURL!.appending(path: "Peers/\(name)").path
  }
}
