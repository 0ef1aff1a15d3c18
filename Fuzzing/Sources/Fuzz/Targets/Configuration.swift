import Configuration
import PkarrRelay

extension FuzzTarget {
  /// Configuration files of a relay. One that is accepted is accepted again, and means the same.
  static let configuration = FuzzTarget(name: "configuration", maximumLength: 2048) { input in
    guard let text = String(validating: input, as: UTF8.self) else { return }
    do throws(ConfigurationError) {
      let configuration = try RelayConfiguration.parse(text, file: "relay.toml")
      let again = try RelayConfiguration.parse(text, file: "relay.toml")
      require("\(configuration)" == "\(again)", "one text means two configurations")
    } catch {
      let lines = "\(error)".utf8.split(separator: 10)
      require(lines.count <= 3, "an error of many lines: \(error)")
      require(!"\(error)".unicodeScalars.contains { $0.value < 32 && $0.value != 10 }, "an error that a terminal obeys")
      if let position = error.position {
        require(position.line >= 1 && position.column >= 1, "an error at \(position)")
        require(position.line <= text.utf8.count { $0 == 10 } + 1, "an error behind the end")
      }
    }
  }
}
