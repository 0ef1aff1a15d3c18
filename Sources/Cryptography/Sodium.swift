import CSodium

/// libsodium picks its fastest implementations once per process; every use in this module goes through here first.
enum Sodium {
  static let isReady: Bool = sodium_init() >= 0

  @inline(__always)
  static func require() { precondition(isReady, "libsodium could not be initialised") }
}
