import Addresses
import DNSWire

extension IPAddress {
  /// Addresses that lead a browser into its user's own network: private, loopback, link-local, carrier-grade NAT,
  /// unspecified (RFC 6890), and the mapped forms of IPv6.
  var isInternal: Bool {
    if isLoopback || isPrivate || isUnspecified { return true }
    if let v4 { return v4 >> 24 == 0 || v4 >> 22 == 0x6440_0000 >> 22 }
    // IPv4 within 64:ff9b::/96 (RFC 6052) and the deprecated ::a.b.c.d.
    let isTranslated = high == 0x0064_ff9b_0000_0000 && low >> 32 == 0
    let isCompatible = high == 0 && low >> 32 == 0
    guard isTranslated || isCompatible else { return false }
    return IPAddress(v4: UInt32(truncatingIfNeeded: low)).isInternal
  }

  /// Addresses that are no server of somebody else's: never asked on behalf of a key's owner.
  var isNoServer: Bool { isInternal || isMulticast || v4 == .max }
}

/// Removes addresses of internal networks from key answers (DNS rebinding).
struct RebindingFilter {
  let allowed: [AddressPrefix]
  /// Addresses removed so far.
  private(set) var removed = 0

  init(allowed: [AddressPrefix]) { self.allowed = allowed }

  private func isAllowed(_ address: IPAddress) -> Bool {
    !address.isInternal || allowed.contains { $0.contains(address) }
  }

  /// The records without such addresses, hints of service bindings included.
  mutating func filter(_ records: [ResourceRecord]) -> [ResourceRecord] {
    records.compactMap { record in
      switch record.data {
      case .a, .aaaa:
        // An IPv4-mapped AAAA is no address of a host on the network (RFC 4291 §2.5.5.2).
        let isMapped = record.type == .aaaa && record.data.ipAddress?.isIPv4 == true
        if !isMapped, let address = record.data.ipAddress, isAllowed(address) { return record }
        removed += 1
        return nil
      case .svcb(let binding): return replacing(record) { .svcb($0) }(filter(binding))
      case .https(let binding): return replacing(record) { .https($0) }(filter(binding))
      default: return record
      }
    }
  }

  private func replacing(
    _ record: ResourceRecord, _ data: @escaping (ServiceBinding) -> RecordData
  ) -> (ServiceBinding) -> ResourceRecord {
    { binding in
      var record = record
      record.data = data(binding)
      return record
    }
  }

  private mutating func filter(_ binding: ServiceBinding) -> ServiceBinding {
    let hints = binding.ipv4hint + binding.ipv6hint
    let kept = hints.filter { isAllowed($0) }
    guard kept.count < hints.count else { return binding }
    removed += hints.count - kept.count
    var filtered = binding
    filtered.remove(.ipv4hint)
    filtered.remove(.ipv6hint)
    let mandatory = binding.mandatory.filter { key in
      key == .ipv4hint ? kept.contains(where: \.isIPv4) : key != .ipv6hint || kept.contains { !$0.isIPv4 }
    }
    filtered.remove(.mandatory)
    filtered.setMandatory(mandatory)
    // Those that are left were well formed before.
    try? filtered.setAddressHints(kept)
    return filtered
  }
}
