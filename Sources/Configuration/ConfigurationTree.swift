import CToml
import PlainText

/// A parsed document: nodes with their places, and a memory of which of them a decoder has looked at.
final class ConfigurationTree {
  enum Value {
    case table([String: Int])
    case array([Int])
    case string(String)
    case integer(Int64)
    case number(Double)
    case bool(Bool)
    case dateTime(String)

    /// What it is, for a person.
    var kind: String {
      switch self {
      case .table: "a table"
      case .array: "a list"
      case .string: "text"
      case .integer: "a whole number"
      case .number: "a number"
      case .bool: "true or false"
      case .dateTime: "a date or time"
      }
    }
  }

  struct Node {
    var value: Value
    var position: ConfigurationError.Position?
    var keyPosition: ConfigurationError.Position?
    var wasRead = false
    /// Keys that a decoder asked this table for, there or not: what may stand in it.
    var knownKeys: Set<String> = []
  }

  /// The root is the first.
  private(set) var nodes: [Node] = []
  /// What the decoder's user passes to the types that are decoded.
  let userInfo: [CodingUserInfoKey: any Sendable]

  /// Parses TOML.
  ///
  /// - Throws: `ConfigurationError` with the place of the first mistake.
  init(
    _ text: String, file: String, userInfo: [CodingUserInfoKey: any Sendable] = [:]
  ) throws(ConfigurationError) {
    self.userInfo = userInfo
    func failure(_ position: ConfigurationError.Position?, _ message: String) -> ConfigurationError {
      ConfigurationError(file: file, position: position, key: "", message: message)
    }
    guard text.utf8.count <= ConfigurationLimits.bytes else {
      let limit = NumberText.grouped(ConfigurationLimits.bytes)
      throw failure(nil, "the file is larger than \(limit) bytes, which no configuration is")
    }
    if let line = ConfigurationLimits.lineOfTooDeepKey(text) {
      throw failure(
        .init(line: line, column: 1), "a key has more than \(ConfigurationLimits.dotsInAKey) dots")
    }
    var text = text
    let document = text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { ctoml_parse($0.baseAddress, $0.count) }
    }
    guard let document else { throw failure(nil, "there is not enough memory to read it") }
    defer { ctoml_free(document) }
    var (line, column): (UInt32, UInt32) = (0, 0)
    if let message = ctoml_error(document, &line, &column) {
      throw failure(Self.position(line, column), ControlCharacters.escape(String(cString: message)))
    }
    var count = 0
    let list = UnsafeBufferPointer(start: ctoml_nodes(document, &count), count: count)
    nodes.reserveCapacity(list.count)
    for (index, node) in list.enumerated() { adopt(node, index) }
  }

  private func adopt(_ node: ctoml_node, _ index: Int) {
    func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
      String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
    let value: Value =
      switch node.kind {
      case CTOML_TABLE: .table([:])
      case CTOML_ARRAY: .array([])
      case CTOML_STRING: .string(text(node.text, node.text_length))
      case CTOML_INTEGER: .integer(node.integer)
      case CTOML_FLOAT: .number(node.number)
      case CTOML_BOOLEAN: .bool(node.integer != 0)
      default: .dateTime(text(node.text, node.text_length))
      }
    nodes.append(
      Node(
        value: value, position: Self.position(node.line, node.column),
        keyPosition: Self.position(node.key_line, node.key_column)))
    guard node.parent >= 0 else { return }
    let parent = Int(node.parent)
    switch nodes[parent].value {
    case .table(var children):
      nodes[parent].value = .bool(false)  // so that the dictionary is not copied
      children[text(node.key, node.key_length)] = index
      nodes[parent].value = .table(children)
    case .array(var children):
      nodes[parent].value = .bool(false)
      children.append(index)
      nodes[parent].value = .array(children)
    default: break
    }
  }

  private static func position(_ line: UInt32, _ column: UInt32) -> ConfigurationError.Position? {
    line == 0 ? nil : .init(line: Int(line), column: Int(column))
  }

  // MARK: What was looked at

  func markRead(_ index: Int) { nodes[index].wasRead = true }

  func markKnown(_ key: String, in table: Int) { nodes[table].knownKeys.insert(key) }

  /// The first key in the text that no decoder asked for, with its path from the root.
  func firstUnknownKey() -> (path: String, position: ConfigurationError.Position?, nearest: String?)? {
    var first: (path: String, position: ConfigurationError.Position?, nearest: String?)?
    var queue: [(index: Int, path: String)] = [(0, "")]
    while let (index, path) = queue.popLast() {
      switch nodes[index].value {
      case .table(let children):
        for (key, child) in children {
          let childPath = path.isEmpty ? key : "\(path).\(key)"
          if nodes[child].wasRead {
            queue.append((child, childPath))
          } else if let position = nodes[child].keyPosition, position < first?.position ?? .init(line: .max, column: 0)
          {
            let nearest = Spelling.nearest(to: key, in: nodes[index].knownKeys.sorted())
            first = (childPath, position, nearest)
          }
        }
      case .array(let children):
        for (position, child) in children.enumerated() { queue.append((child, "\(path)[\(position)]")) }
      default: break
      }
    }
    return first
  }

  /// The node at `path`, or the nearest table above it that exists.
  func node(at path: [any CodingKey]) -> Node {
    var index = 0
    for step in path {
      switch nodes[index].value {
      case .table(let children):
        guard let child = children[step.stringValue] else { return nodes[index] }
        index = child
      case .array(let children):
        guard let position = step.intValue, children.indices.contains(position) else { return nodes[index] }
        index = children[position]
      default: return nodes[index]
      }
    }
    return nodes[index]
  }
}
