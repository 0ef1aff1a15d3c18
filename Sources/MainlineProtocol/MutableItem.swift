import Cryptography
/// placeholder until the real one lands
public struct MutableItem: Sendable, Hashable {}
