// swift-tools-version: 6.2
// A package of its own: it needs libFuzzer (part of the toolchain) and instruments everything that it builds.
// Run it with scripts/fuzz.
import PackageDescription

let package = Package(
  name: "Fuzzing",
  dependencies: [.package(name: "swift-pubky", path: "..")],
  targets: [
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        "WireFormat", "Addresses", "Cryptography", "Bencode", "DNSWire", "MainlineProtocol", "Pkarr",
        "DNSResolution", "EventLoops", "HTTP", "Configuration", "PkarrRelay", "PKDNS", "Republisher",
      ].map {
        .product(name: $0, package: "swift-pubky")
      },
      swiftSettings: [.enableUpcomingFeature("ExistentialAny"), .enableExperimentalFeature("Lifetimes")])
  ],
  swiftLanguageModes: [.v6]
)
