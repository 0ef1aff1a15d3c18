/// placeholder until the real one lands
public struct ImmutableItem: Sendable, Hashable {}
