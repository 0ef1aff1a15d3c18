// swift-tools-version: 6.2
// A package of its own: it needs the libraries that the project is compared with
// (scripts/install-dependencies bench). Run it with `make bench`.
import PackageDescription

// How Debian builds libtorrent (`pkg-config --cflags libtorrent-rasterbar`): its headers need the same.
let libtorrent: [CXXSetting] = [
  "TORRENT_LINKING_SHARED", "BOOST_ASIO_ENABLE_CANCELIO", "BOOST_ASIO_NO_DEPRECATED", "TORRENT_USE_OPENSSL",
  "TORRENT_USE_LIBCRYPTO", "TORRENT_SSL_PEERS", "OPENSSL_NO_SSL2", "BOOST_ALL_NO_LIB",
].map { .define($0) }

let swift: [SwiftSetting] = [.enableUpcomingFeature("ExistentialAny"), .enableExperimentalFeature("Lifetimes")]

func modules(_ names: [String]) -> [Target.Dependency] {
  names.map { .product(name: $0, package: "swift-pubky") }
}

let package = Package(
  name: "Benchmarks",
  dependencies: [.package(name: "swift-pubky", path: "..")],
  targets: [
    .target(
      name: "CPeers", cxxSettings: libtorrent,
      linkerSettings: ["torrent-rasterbar", "knot", "sodium", "lmdb", "nettle"].map { .linkedLibrary($0) }),
    .executableTarget(
      name: "LibtorrentNode", cxxSettings: libtorrent,
      linkerSettings: ["torrent-rasterbar", "ssl", "crypto"].map { .linkedLibrary($0) }),
    .executableTarget(
      name: "PubkyNode", dependencies: modules(["Addresses", "EventLoops", "Mainline"]), swiftSettings: swift),
    .executableTarget(
      name: "PubkyRelay",
      dependencies: modules(["Addresses", "EventLoops", "HTTP", "Logging", "Mainline", "Pkarr", "PkarrRelay"]),
      swiftSettings: swift),
    .executableTarget(
      name: "WebLoad", dependencies: modules(["Addresses", "HTTP", "Pkarr", "TLS"]), swiftSettings: swift),
    .executableTarget(
      name: "Benchmarks",
      dependencies: ["CPeers"]
        + modules([
          "WireFormat", "Addresses", "Cryptography", "DNSWire", "MainlineProtocol", "MainlineSimulator", "Mainline",
          "Pkarr", "PkarrStore", "PkarrClient", "EventLoops", "Republisher",
        ]),
      swiftSettings: swift),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
