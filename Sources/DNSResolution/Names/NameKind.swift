import DNSWire
import Pkarr
import WireFormat

/// To which world a name belongs.
enum NameKind: Sendable {
  /// A key or a name below one.
  case key(KeyName)
  /// It can never exist, and must not leave this server; the apex below which nothing is, and why.
  case unusable(apex: DomainName, ExtendedError?)
  /// A name that the operator gave to a key, or one below it: what it is an alias of.
  case petname(target: DomainName)
  /// A name for special use.
  case special(SpecialName)
  /// An operator has blocked it.
  case blocked
  /// Any other: the servers that are configured know.
  case other
}

/// A name below a key, with the suffix that it was asked with.
struct KeyName: Hashable, Sendable {
  var key: PublicKey
  /// The name with the key as its last label, in lower case.
  var name: DomainName
  /// The key's own name, in lower case.
  var apex: DomainName
  /// What stood behind the key; nil for nothing.
  var suffix: DomainName?
}

extension NameKind {
  /// Tells what a name in lower case is.
  init(_ name: DomainName, policy: ResolutionPolicy) {
    if !policy.local.blocked.isEmpty, Self.isBlocked(name, policy.local.blocked) {
      self = .blocked
      return
    }
    for suffix in policy.suffixes where !suffix.isRoot {
      guard let inside = name.removingSuffix(suffix.lowercased) else { continue }
      guard let last = inside.lastLabel else {
        self = .unusable(apex: suffix.lowercased, nil)
        return
      }
      switch KeyLabel(last) {
      case .key(let key, let apex):
        self = .key(KeyName(key: key, name: inside, apex: apex, suffix: suffix.lowercased))
      case .unusable(let error): self = .unusable(apex: suffix.lowercased, error)
      case .notAKey:
        self =
          Self.target(of: inside, last, suffix, policy.local.petnames).map { .petname(target: $0) }
          ?? .unusable(apex: suffix.lowercased, nil)
      }
      return
    }
    guard let last = name.lastLabel else {
      self = .other
      return
    }
    switch KeyLabel(last) {
    case .key(let key, let apex): self = .key(KeyName(key: key, name: name, apex: apex, suffix: nil))
    case .unusable(let error):
      self = .unusable(apex: (try? DomainName(labels: CollectionOfOne(last))) ?? name, error)
    case .notAKey: self = SpecialName(name, policy: policy.local).map(NameKind.special) ?? .other
    }
  }

  /// The name that a petname stands for: its key in the place of its last label.
  private static func target(
    of inside: DomainName, _ last: ArraySlice<UInt8>, _ suffix: DomainName, _ petnames: [DomainName: PublicKey]
  ) -> DomainName? {
    guard !petnames.isEmpty, let label = try? DomainName(labels: CollectionOfOne(last)), let key = petnames[label],
      let front = inside.removingSuffix(label)
    else { return nil }
    return try? front.appending(key.domainName).appending(suffix.lowercased)
  }

  private static func isBlocked(_ name: DomainName, _ blocked: Set<DomainName>) -> Bool {
    var current: DomainName? = name
    while let candidate = current, !candidate.isRoot {
      if blocked.contains(candidate) { return true }
      current = candidate.parent
    }
    return false
  }
}

/// What a label of a name is as a key, strictly: only the spelling that a key is written in is one.
private enum KeyLabel {
  case key(PublicKey, apex: DomainName)
  /// 52 letters of z-base-32 that are no usable key, and why.
  case unusable(ExtendedError)
  case notAKey

  /// Reads a label in lower case.
  init(_ label: ArraySlice<UInt8>) {
    guard label.count == PublicKey.textLength, let bytes = Base32.z.decode(utf8: label), bytes.count == 32 else {
      self = .notAKey
      return
    }
    let canonical = Base32.z.encode(bytes)
    guard canonical.utf8.elementsEqual(label) else {
      // The canonical spelling is 52 characters; with the words in front it stays below 100.
      self = .unusable(.other("not a key: spare bits are set; write \(canonical)"))
      return
    }
    guard let key = try? PublicKey(bytes) else {
      self = .unusable(.other("not a key: the bytes are no point on the curve"))
      return
    }
    self = .key(key, apex: key.domainName)
  }
}

extension DomainName {
  /// The rightmost label; nil for the root.
  var lastLabel: ArraySlice<UInt8>? {
    var last: ArraySlice<UInt8>?
    for label in labels { last = label }
    return last
  }

  /// Number of labels.
  var labelCount: Int {
    var count = 0
    for _ in labels { count += 1 }
    return count
  }

  /// This name in front of another, if that is short enough.
  func joined(_ suffix: DomainName?) -> DomainName? {
    guard let suffix else { return self }
    return try? appending(suffix)
  }
}
