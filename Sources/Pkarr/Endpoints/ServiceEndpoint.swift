import Addresses

/// Where a service of a key is: one HTTPS or SVCB record, with what its packet says beside it (RFC 9460).
public struct ServiceEndpoint: Hashable, Sendable {
  /// The key in whose packet the record was found: whom a client finds there, if ``domain`` is nil.
  public let publicKey: PublicKey
  /// The owner name of the record in full, without a final dot.
  public let name: String
  /// The record's data: priority, target, parameters.
  public let binding: ServiceBinding
  /// The addresses that the packet gives for a target of `.`: those of ``name`` or, if it has none, those of the apex.
  public let addresses: [IPAddress]

  /// Joins the parts.
  public init(publicKey: PublicKey, name: String, binding: ServiceBinding, addresses: [IPAddress]) {
    self.publicKey = publicKey
    self.name = name
    self.binding = binding
    self.addresses = addresses
  }

  /// The target as text without a final dot; `.` for the owner of the record.
  public var target: String { binding.target.isRoot ? "." : binding.target.text }

  /// The key that the target ends in, if it does: then that key's packet says where the service is.
  public var targetKey: PublicKey? { binding.target.isRoot ? nil : try? PublicKey(parsing: binding.target.text) }

  /// The target as a domain of the ordinary DNS; nil if it is `.` or ends in a key.
  public var domain: String? { binding.target.isRoot || targetKey != nil ? nil : target }

  /// The port; nil if the record has none or 0. The port of a record of priority 0 counts as well, since other PKARR
  /// implementations publish such records.
  public var port: UInt16? { binding.port.flatMap { $0 == 0 ? nil : $0 } }

  /// The value of a parameter in wire form; nil if it is not set.
  public func parameter(_ key: ServiceBinding.Key) -> [UInt8]? { binding.value(of: key) }

  /// ``addresses`` with the port, or with 0 if there is none; empty unless the target is `.`.
  public var attachedEndpoints: [Endpoint] { addresses.map { Endpoint($0, port: port ?? 0) } }
}

/// Which records a search for endpoints reads. The two are never mixed.
public enum EndpointKind: Hashable, Sendable {
  /// HTTPS records.
  case https
  /// SVCB records.
  case svcb

  /// The binding in a record of this kind.
  func binding(of data: RecordData) -> ServiceBinding? {
    switch (self, data) {
    case (.https, .https(let binding)), (.svcb, .svcb(let binding)): binding
    default: nil
    }
  }
}

extension SignedPacket {
  /// The endpoints of one name, the lowest priority first; equal ones in random order (RFC 9460 §2.4.1).
  ///
  /// - Parameters:
  ///   - name: as in ``records(named:)``.
  ///   - generator: decides about the order of equal ones.
  public func endpoints(
    named name: some StringProtocol, kind: EndpointKind, using generator: inout some RandomNumberGenerator
  ) -> [ServiceEndpoint] {
    let full = publicKey.fullName(of: name)
    let records = records(named: full)
    var bindings = records.compactMap { kind.binding(of: $0.data) }
    if bindings.isEmpty { return [] }
    bindings.shuffle(using: &generator)
    var addresses = records.compactMap(\.data.ipAddress)
    if addresses.isEmpty { addresses = self.records(named: "@").compactMap(\.data.ipAddress) }
    // Sorting is stable.
    return bindings.sorted { $0.priority < $1.priority }.map { binding in
      ServiceEndpoint(
        publicKey: publicKey, name: full, binding: binding, addresses: binding.target.isRoot ? addresses : [])
    }
  }
}
