import PlainText

/// Reads TOML text into `Decodable` values.
///
/// A mistake is never passed over: a key that nothing asked for is an error that names the nearest known one, and a wrong
/// value is reported with file, line, column and key. Give each property a default with
/// `decode(_:default:)` and a range with `decode(_:default:in:)`.
///
/// ```swift
/// struct Settings: Decodable {
///   var port: UInt16
///   enum CodingKeys: String, CodingKey { case port }
///   init(from decoder: any Decoder) throws {
///     let values = try decoder.container(keyedBy: CodingKeys.self)
///     port = try values.decode(.port, default: 6881, in: 1...65535)
///   }
/// }
/// let settings = try ConfigurationDecoder().decode(Settings.self, from: text, file: "node.toml")
/// ```
public struct ConfigurationDecoder: Sendable {
  /// What types find in their decoder's `userInfo`: where the file lies, for example.
  public var userInfo: [CodingUserInfoKey: any Sendable]

  /// Makes a decoder.
  public init(userInfo: [CodingUserInfoKey: any Sendable] = [:]) { self.userInfo = userInfo }

  /// Decodes `text`; `file` names it in errors.
  ///
  /// - Throws: `ConfigurationError`, with the place, for what is not TOML, for a wrong value and for an unknown key.
  public func decode<T: Decodable>(
    _ type: T.Type = T.self, from text: String, file: String
  ) throws(ConfigurationError) -> T {
    let tree = try ConfigurationTree(text, file: file, userInfo: userInfo)
    let value: T
    do {
      tree.markRead(0)
      value = try T(from: NodeDecoder(tree: tree, index: 0, codingPath: []))
    } catch let error as DecodingError {
      throw Self.explain(error, tree, file)
    } catch let error as ConfigurationError {
      throw error
    } catch {
      throw ConfigurationError(file: file, key: "", message: "\(error)")
    }
    if let unknown = tree.firstUnknownKey() {
      throw ConfigurationError(
        file: file, position: unknown.position, key: ControlCharacters.escape(unknown.path),
        message: "no such key", advice: unknown.nearest.map { "Did you mean \(ControlCharacters.escape($0))?" })
    }
    return value
  }

  private static func explain(_ error: DecodingError, _ tree: ConfigurationTree, _ file: String) -> ConfigurationError {
    var advice: String?
    let path: [any CodingKey]
    let message: String
    switch error {
    case .keyNotFound(let key, let context):
      path = context.codingPath + [key]
      message = "this key is required and missing"
      if case .table(let children) = tree.node(at: context.codingPath).value {
        let unread = children.filter { !tree.nodes[$0.value].wasRead }.keys.sorted()
        advice = Spelling.nearest(to: key.stringValue, in: unread).map {
          "Is \(ControlCharacters.escape($0)) a slip?"
        }
      }
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      path = context.codingPath
      message = context.debugDescription
    @unknown default:
      path = []
      message = "\(error)"
    }
    return ConfigurationError(
      file: file, position: tree.node(at: path).position, key: ControlCharacters.escape(text(of: path)),
      message: ControlCharacters.escape(message), advice: advice)
  }

  private static func text(of path: [any CodingKey]) -> String {
    path.reduce(into: "") { text, step in
      if let index = step.intValue {
        text += "[\(index)]"
      } else {
        text += text.isEmpty ? step.stringValue : ".\(step.stringValue)"
      }
    }
  }
}
