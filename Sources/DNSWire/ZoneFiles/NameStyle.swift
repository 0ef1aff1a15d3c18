/// How names are written in the data of records.
struct NameStyle {
  /// Names below it are written relative to it; nil to write all names in full.
  var origin: DomainName?

  /// All names in full, with the final dot.
  static let absolute = NameStyle(origin: nil)

  /// The name as a zone file with this origin has it as owner.
  func owner(_ name: DomainName) -> String {
    guard let origin, let relative = name.removingSuffix(origin) else { return name.absoluteDescription }
    return relative.isRoot ? "@" : relative.description
  }

  /// The name as a zone file with this origin has it as data: only `@` and single labels are relative, as anything
  /// with dots inside would look absolute.
  func text(_ name: DomainName) -> String {
    guard let origin, name == origin || name.parent == origin else { return name.absoluteDescription }
    return owner(name)
  }
}
