import Addresses
import Pkarr
import TestSupport
import WireFormat

/// A record as the vector files spell it.
struct VectorRecord: Decodable {
  let name: String
  let ttl: UInt32
  let type: String
  let address: String?
  let target: String?
  let text: String?
  let strings: [String]?
  let stringsHex: [HexBytes]?
  let priority: UInt16?
  let params: [Parameter]?
  let weight: UInt16?
  let port: UInt16?
  let preference: UInt16?
  let exchange: String?
  let mname: String?
  let rname: String?
  let serial: UInt32?
  let refresh: UInt32?
  let retry: UInt32?
  let expire: UInt32?
  let minimum: UInt32?

  struct Parameter: Decodable {
    let key: UInt16
    let valueHex: HexBytes?
    let value: Value?

    enum Value: Decodable {
      case text(String), texts([String])

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode([String].self) {
          self = .texts(value)
        } else {
          self = .text(try container.decode(String.self))
        }
      }
    }
  }

  struct Unexpected: Error {}

  var data: RecordData {
    get throws {
      switch type {
      case "A", "AAAA": .address(try IPAddress(address ?? "").orThrow)
      case "CNAME": .cname(try domain(target))
      case "NS": .ns(try domain(target))
      case "PTR": .ptr(try domain(target))
      case "TXT":
        if let text {
          .txt(RecordData.TXT(text))
        } else {
          .txt(try RecordData.TXT(strings: stringsHex?.map(\.bytes) ?? strings!.map { Array($0.utf8) }).orThrow)
        }
      case "MX": .mx(.init(preference: preference!, host: try domain(exchange)))
      case "SRV": .srv(.init(priority: priority!, weight: weight!, port: port!, target: try domain(target)))
      case "SOA":
        .soa(
          .init(
            primaryServer: try domain(mname), mailbox: try domain(rname), serial: serial!, refresh: refresh!,
            retry: retry!, expire: expire!, minimum: minimum!))
      case "HTTPS": .https(try binding)
      case "SVCB": .svcb(try binding)
      default: throw Unexpected()
      }
    }
  }

  private func domain(_ text: String?) throws -> DomainName { try DomainName(try text.orThrow) }

  private var binding: ServiceBinding {
    get throws {
      var binding = ServiceBinding(priority: try priority.orThrow, target: try domain(target))
      for parameter in try params.orThrow {
        if let value = parameter.valueHex {
          try binding.set(.init(rawValue: parameter.key), to: value.bytes)
          continue
        }
        switch (parameter.key, parameter.value) {
        case (0, .texts(let keys)): binding.setMandatory(try keys.map { .init(rawValue: try UInt16($0).orThrow) })
        case (1, .texts(let protocols)): try binding.setALPN(protocols)
        case (2, _): binding.setNoDefaultALPN()
        case (3, .text(let port)): binding.setPort(try UInt16(port).orThrow)
        case (4, .texts(let addresses)), (6, .texts(let addresses)):
          try binding.setAddressHints(addresses.map { try IPAddress($0).orThrow })
        case (5, .text(let hex)): try binding.setECH(try Hex.decode(hex).orThrow)
        case (7..., .text(let hex)): try binding.set(.init(rawValue: parameter.key), to: try Hex.decode(hex).orThrow)
        default: throw Unexpected()
        }
      }
      return binding
    }
  }
}

extension Optional {
  fileprivate var orThrow: Wrapped {
    get throws {
      guard let self else { throw VectorRecord.Unexpected() }
      return self
    }
  }
}
