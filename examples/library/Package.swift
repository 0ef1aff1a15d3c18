// swift-tools-version: 6.2
// The program of the README: swift run --package-path examples/library
import PackageDescription

let package = Package(
  name: "PublishAndResolve",
  dependencies: [.package(name: "swift-pubky", path: "../..")],
  targets: [
    .executableTarget(
      name: "PublishAndResolve",
      dependencies: ["Pkarr", "MainlineProtocol", "Mainline"].map { .product(name: $0, package: "swift-pubky") })
  ],
  swiftLanguageModes: [.v6]
)
