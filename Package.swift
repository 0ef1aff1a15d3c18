// swift-tools-version: 6.2
// Read from bottom to top: each target imports only what stands above it, floor by floor (docs/architecture.md).
import PackageDescription

let swift: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableExperimentalFeature("Lifetimes"),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swift)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: swift)
}

let libraries = [
  "WireFormat", "PlainText", "Addresses", "Cryptography", "DNSWire", "Bencode", "MainlineProtocol", "Pkarr",
  "DNSResolution", "EventLoops", "Logging", "Configuration", "CommandLineTool", "TLS", "HTTP", "Mainline", "PkarrStore",
  "PkarrClient", "PkarrRelay", "PkarrSite", "PKDNS", "Republisher", "MainlineSimulator",
]

let package = Package(
  name: "swift-pubky",
  products: libraries.map { .library(name: $0, targets: [$0]) } + [.executable(name: "pubky", targets: ["pubky"])],
  targets: [
    // Floor 0: C libraries and the smallest shims.
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
    .systemLibrary(name: "CGnuTLS", pkgConfig: "gnutls", providers: [.apt(["libgnutls28-dev"])]),
    .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .target(name: "CEd25519"),
    .target(name: "CLinux"),
    .target(name: "CToml", cxxSettings: [.define("TOML_HEADER_ONLY", to: "1")]),
    .target(name: "CWebApp", exclude: ["web"]),

    // Floor 1: bytes, text, addresses, cryptography; nothing that knows a protocol.
    module("WireFormat"),
    module("PlainText"),
    module("Addresses"),
    module("Cryptography", ["CSodium", "CNettle", "CEd25519", "WireFormat"]),

    // Floor 2: codecs.
    module("DNSWire", ["WireFormat", "Addresses"]),
    module("Bencode", ["WireFormat"]),

    // Floor 3: protocols as values, without I/O.
    module("MainlineProtocol", ["Bencode", "Cryptography", "WireFormat", "Addresses"]),
    module("Pkarr", ["DNSWire", "Cryptography", "WireFormat", "Addresses", "PlainText"]),
    module(
      "DNSResolution", ["Pkarr", "DNSWire", "MainlineProtocol", "Cryptography", "WireFormat", "Addresses"]),

    // Floor 4: the event loop, and what programs share.
    module("EventLoops", ["CLinux", "Addresses"]),
    module("Logging", ["EventLoops", "PlainText"]),
    module("Configuration", ["CToml", "EventLoops", "PlainText"]),
    module("CommandLineTool", ["PlainText"]),

    // Floor 5: encrypted streams.
    module("TLS", ["CGnuTLS", "EventLoops", "Cryptography", "WireFormat"]),

    // Floor 6: the web's protocol, both sides.
    module("HTTP", ["CNghttp2", "TLS", "EventLoops", "Cryptography", "Addresses", "WireFormat", "PlainText"]),

    // Floor 7: the DHT on real sockets, packets on disk.
    module("Mainline", ["MainlineProtocol", "EventLoops", "Cryptography", "Addresses"]),
    module("PkarrStore", ["CLMDB", "Pkarr", "EventLoops", "Cryptography", "WireFormat"]),

    // Floor 8: publishing, resolving and keeping alive, over every network.
    module(
      "PkarrClient",
      [
        "Pkarr", "PkarrStore", "HTTP", "TLS", "Mainline", "MainlineProtocol", "EventLoops", "Cryptography", "Addresses",
        "WireFormat", "PlainText",
      ]),

    module(
      "Republisher",
      [
        "PkarrClient", "PkarrStore", "Pkarr", "Mainline", "MainlineProtocol", "EventLoops", "Configuration",
        "Cryptography", "WireFormat", "PlainText",
      ]),

    // Floor 9: services.
    module(
      "PkarrRelay",
      [
        "CWebApp", "Republisher", "PkarrClient", "PkarrStore", "Pkarr", "HTTP", "TLS", "Mainline", "MainlineProtocol",
        "EventLoops",
        "Logging", "Configuration", "Cryptography", "Addresses", "WireFormat", "PlainText",
      ]),

    module(
      "PkarrSite",
      [
        "PkarrClient", "Pkarr", "HTTP", "TLS", "EventLoops", "CLinux", "Cryptography", "Addresses", "PlainText",
      ]),

    module(
      "PKDNS",
      [
        "DNSResolution", "Republisher", "PkarrClient", "PkarrStore", "Pkarr", "DNSWire", "HTTP", "TLS", "Mainline",
        "MainlineProtocol", "EventLoops", "Logging", "Configuration", "Cryptography", "Addresses", "WireFormat",
        "PlainText",
      ]),
    // Beside the floors: a network in one process.
    module("MainlineSimulator", ["MainlineProtocol", "Bencode", "Cryptography", "Addresses", "PlainText"]),

    // Floor 10: the command.
    .executableTarget(
      name: "pubky",
      dependencies: [
        "PKDNS", "DNSResolution", "DNSWire", "Republisher", "PkarrRelay", "PkarrSite", "PkarrClient", "PkarrStore",
        "HTTP", "TLS", "Mainline", "MainlineProtocol", "MainlineSimulator", "Pkarr",
        "EventLoops", "Logging", "Configuration", "CommandLineTool", "Cryptography", "Addresses", "PlainText",
        "WireFormat",
      ],
      swiftSettings: swift),

    // Tests.
    .target(
      name: "TestSupport", dependencies: ["WireFormat"], path: "Tests/TestSupport",
      resources: [.copy("Vectors"), .copy("Peers")], swiftSettings: swift),
    tests("WireFormatTests", ["WireFormat"]),
    tests("PlainTextTests", ["PlainText"]),
    tests("AddressesTests", ["Addresses"]),
    tests("CryptographyTests", ["Cryptography"]),
    tests("LoggingTests", ["Logging"]),
    tests("DNSWireTests", ["DNSWire"]),
    tests("BencodeTests", ["Bencode"]),
    tests("MainlineProtocolTests", ["MainlineProtocol"]),
    tests("PkarrTests", ["Pkarr", "DNSWire", "Cryptography", "Addresses", "WireFormat"]),
    tests(
      "DNSResolutionTests",
      ["DNSResolution", "Pkarr", "DNSWire", "MainlineProtocol", "Cryptography", "Addresses", "WireFormat"]),
    tests("EventLoopsTests", ["EventLoops", "CLinux"]),
    tests("ConfigurationTests", ["Configuration"]),
    tests("CommandLineToolTests", ["CommandLineTool"]),
    tests("TLSTests", ["TLS"]),
    tests("HTTPTests", ["HTTP", "TLS", "EventLoops", "Addresses", "PlainText"]),
    tests("MainlineTests", ["Mainline"]),
    .executableTarget(
      name: "StoreWriter", dependencies: ["PkarrStore", "Pkarr"], path: "Tests/StoreWriter", swiftSettings: swift),
    tests("PkarrStoreTests", ["PkarrStore", "Pkarr", "Cryptography", "EventLoops", "StoreWriter"]),
    tests("PkarrClientTests", ["PkarrClient", "PkarrStore", "Pkarr", "HTTP", "Mainline"]),
    tests(
      "PkarrRelayTests", ["PkarrRelay", "Republisher", "PkarrClient", "PkarrStore", "Pkarr", "HTTP", "TLS", "Mainline"]),
    tests("PkarrSiteTests", ["PkarrSite", "PkarrClient", "Pkarr", "HTTP", "Mainline", "Addresses"]),
    tests(
      "PKDNSTests",
      [
        "PKDNS", "DNSResolution", "PkarrClient", "Pkarr", "DNSWire", "HTTP", "TLS", "Mainline", "EventLoops",
        "Addresses",
      ]),
    tests(
      "RepublisherTests",
      [
        "Republisher", "PkarrClient", "Pkarr", "Mainline", "MainlineProtocol", "EventLoops", "Cryptography",
        "Addresses", "PlainText",
      ]),
    tests("SimulationTests", ["MainlineSimulator", "PlainText"]),
    .executableTarget(
      name: "HostileNetwork",
      dependencies: [
        "MainlineSimulator", "PkarrClient", "Pkarr", "Mainline", "MainlineProtocol", "EventLoops", "Bencode",
        "Cryptography", "Addresses",
      ], path: "Tests/HostileNetwork", swiftSettings: swift),
    tests("InteropTests", ["Mainline", "Pkarr", "DNSResolution", "EventLoops", "HostileNetwork"]),
    tests("EndToEndTests", ["pubky", "EventLoops", "Pkarr", "PkarrStore", "WireFormat"]),
    tests("BrowserTests", ["pubky", "PkarrRelay", "HTTP", "Pkarr", "EventLoops", "Addresses"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx20
)
