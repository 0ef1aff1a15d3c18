import CommandLineTool
import Glibc
import Pkarr
import WireFormat

/// Files that hold a secret key: 64 hexadecimal digits, readable by their owner alone.
enum KeyFile {
  static let option = Option(
    "key", short: "k", value: "FILE", completion: .file, "The file of your secret key (default: \(shownDefaultPath))")

  /// Where the key is if no file is named.
  static var defaultPath: String { configurationFolder + "/default.key" }
  private static let shownDefaultPath = "~/.config/pubky/default.key"

  /// `$XDG_CONFIG_HOME/pubky`, or `~/.config/pubky` (XDG Base Directory Specification: relative paths are ignored).
  static var configurationFolder: String {
    if let folder = environment("XDG_CONFIG_HOME"), folder.hasPrefix("/") { return folder + "/pubky" }
    return home + "/.config/pubky"
  }

  private static var home: String {
    if let home = environment("HOME") { return home }
    // As in a service without an environment: what the system knows of the user.
    guard let entry = getpwuid(getuid()), let folder = entry.pointee.pw_dir else { return "" }
    return String(cString: folder)
  }

  /// A path as people write it, with `~` for their home.
  static func display(_ path: String) -> String {
    guard home.count > 1, path.hasPrefix(home + "/") else { return path }
    return "~" + path.dropFirst(home.count)
  }

  private static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// The key that `--key` names, or the default one.
  ///
  /// - Throws: `CommandError` that names the file and what is wrong with it.
  static func read(_ arguments: ParsedArguments, _ console: Console) throws(CommandError) -> Keypair {
    if let path = arguments[option] { return try read(path, console) }
    guard exists(defaultPath) else {
      throw .usage(
        "--key FILE is missing, and there is no \(display(defaultPath))",
        advice: "Make a key with: \(ProgramName.asTyped) key new")
    }
    return try read(defaultPath, console)
  }

  /// True if there is something at a path.
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Reads a key file, and warns if others may read it.
  ///
  /// - Throws: `CommandError` that names the file and what is wrong with it.
  static func read(_ path: String, _ console: Console) throws(CommandError) -> Keypair {
    let contents = try InputFile.read(path, limit: 4096, what: "a secret key")
    let name = InputFile.displayName(path)
    if let mode = contents.mode, mode & 0o077 != 0 {
      console.warn(
        "key_file_mode", "\(name) can be read by others: its mode is \(String(mode, radix: 8))",
        advice: "Run: chmod 600 \(ProgramName.quoted(path))")
    }
    guard let text = String(validating: contents.bytes, as: UTF8.self) else {
      throw .input("\(name): \(SecretKeyError.notHexadecimal)", advice: advice)
    }
    do throws(SecretKeyError) {
      if let seed = pkdnsSeed(text) { return try Keypair(seed: seed) }
      return try Keypair(secretKeyText: text)
    } catch {
      throw .input("\(name): \(error)", advice: advice)
    }
  }

  /// What older seed files of pkdns-cli hold: 52 characters of z-base-32 that stand for 32 bytes and nothing else.
  private static func pkdnsSeed(_ text: String) -> [UInt8]? {
    let characters = text.filter { !$0.isWhitespace }
    guard characters.utf8.count == PublicKey.textLength, let seed = Base32.z.decode(characters), seed.count == 32,
      Base32.z.encode(seed) == characters
    else { return nil }
    return seed
  }

  private static var advice: String { "Make a key file with: \(ProgramName.asTyped) key new --out FILE" }

  /// Writes a new key file, mode 600 from the start.
  ///
  /// - Throws: `CommandError` if there is a file already or it cannot be written.
  static func create(_ path: String, _ keypair: Keypair) throws(CommandError) {
    try NewFile.create(path, holding: Array(keypair.secretKeyText.utf8))
  }
}
