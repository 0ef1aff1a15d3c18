import Addresses
import Cryptography
import TestSupport
import Testing

@testable import MainlineProtocol

@Suite("Secure node ids (BEP 42)")
struct SecureNodeIDTests {
  struct File: Decodable {
    struct Generated: Decodable {
      let ip: String
      let rand: UInt8
      let first21BitsHex: HexBytes
      let exampleIdHex: HexBytes
    }
    struct Validated: Decodable {
      let ip: String
      let idHex: HexBytes
      let valid: Bool
      let why: String
    }
    let generate: [Generated]
    let validate: [Validated]
  }

  private let vectors = try! Vectors.load("mainline/bep42.json", as: File.self, keys: .convertFromSnakeCase)

  @Test("the first 21 bits follow from address and last byte, for both families")
  func generation() throws {
    #expect(vectors.generate.count == 12)
    for vector in vectors.generate {
      let address = try #require(IPAddress(vector.ip))
      let expected = vector.first21BitsHex.bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } >> 3
      #expect(SecureNodeID.prefix(for: address, lastByte: vector.rand) == expected, "\(vector.ip)")
      let example = try #require(NodeID(vector.exampleIdHex.bytes))
      #expect(SecureNodeID.prefix(of: example) == expected)
      #expect(SecureNodeID.isValid(example, for: address, exemptsLocalNetworks: false))
    }
  }

  @Test("ids are judged as the published vectors say")
  func validation() throws {
    #expect(vectors.validate.count == 15)
    for vector in vectors.validate {
      let address = try #require(IPAddress(vector.ip))
      let id = try #require(NodeID(vector.idHex.bytes))
      #expect(
        SecureNodeID.isValid(id, for: address, exemptsLocalNetworks: true) == vector.valid,
        "\(vector.ip): \(vector.why)")
    }
  }

  @Test("on the public network a private address makes no id valid (D9)")
  func privateAddressesAreNotExempt() {
    for text in [
      "10.213.53.83", "192.168.53.83", "127.0.0.1", "172.16.0.1", "169.254.1.1", "::1", "fd00::1", "fe80::1",
    ] {
      #expect(SecureNodeID.isValid(.zero, for: IPAddress(text)!, exemptsLocalNetworks: true), "\(text)")
      #expect(!SecureNodeID.isValid(.zero, for: IPAddress(text)!, exemptsLocalNetworks: false), "\(text)")
    }
  }

  @Test("generated ids are valid for their address and no other, and share at most eight prefixes")
  func generatedIDs() {
    var random = RandomSource(seed: 42)
    for text in ["203.0.113.9", "2a02:8071:1234:5678::1"] {
      let address = IPAddress(text)!
      let other = IPAddress(text == "203.0.113.9" ? "203.0.112.9" : "2a02:8071:1234:5679::1")!
      let ids = (0..<200).map { _ in SecureNodeID.generate(for: address, using: &random) }
      #expect(Set(ids).count == 200)
      #expect(Set(ids.map(SecureNodeID.prefix(of:))).count == 8)
      for id in ids {
        #expect(SecureNodeID.isValid(id, for: address, exemptsLocalNetworks: false))
        #expect(!SecureNodeID.isValid(id, for: other, exemptsLocalNetworks: false))
        #expect(!SecureNodeID.isValid(id.flippingBit(20), for: address, exemptsLocalNetworks: false))
        #expect(SecureNodeID.isValid(id.flippingBit(21), for: address, exemptsLocalNetworks: false))
      }
    }
  }
}
