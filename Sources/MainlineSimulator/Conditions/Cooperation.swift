import MainlineProtocol

/// Which nodes do not serve items as others hope. Shares between 0 and 1; a node has at most one of these ways.
public struct Cooperation: Sendable, Hashable {
  /// Answer everything but `get` and `put`, which they ignore, as the nodes of Transmission do.
  public var withoutItems = 0.0
  /// Answer `get`, and refuse every `put`: their store is full.
  public var full = 0.0
  /// Forget an item that was not put again for ``life``.
  public var forgetful = 0.0
  /// When the forgetful ones forget: BEP 44 allows two hours.
  public var life: Duration = .seconds(7200)

  /// All nodes serve all, and keep what they have.
  public init() {}

  /// Changes the configuration of a node that drew `share`, evenly between 0 and 1.
  func apply(to configuration: inout NodeConfiguration, share: Double) {
    if share < withoutItems {
      configuration.requestFilter = { method, _, _ in method != .get && method != .put }
    } else if share < withoutItems + full {
      configuration.storage.mutableItems = 0
      configuration.storage.immutableItems = 0
    } else if share < withoutItems + full + forgetful {
      configuration.storage.itemLifetime = life
    }
  }
}
