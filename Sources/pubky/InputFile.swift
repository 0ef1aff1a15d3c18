import CommandLineTool
import Glibc

/// Reads what a person names on the command line.
enum InputFile {
  /// A file, whole.
  struct Contents {
    var bytes: [UInt8]
    /// Permission bits of a regular file; nil for pipes and devices.
    var mode: UInt32?
  }

  /// Reads a file, or standard input for `-`.
  ///
  /// - Throws: `CommandError` if it cannot be read or is larger than `limit` bytes, so that nothing is read for ever.
  static func read(_ path: String, limit: Int, what: String) throws(CommandError) -> Contents {
    if path == "-", isatty(STDIN_FILENO) == 1 {
      Console(json: false).note("Reading \(what) from the keyboard; Ctrl-D ends it.")
    }
    if path == "-" { return Contents(bytes: try read(STDIN_FILENO, "standard input", limit, what), mode: nil) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else { throw unreadable(path, what, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable(path, what, errno) }
    let isRegular = status.st_mode & S_IFMT == S_IFREG
    return Contents(
      bytes: try read(descriptor, path, limit, what), mode: isRegular ? UInt32(status.st_mode & 0o7777) : nil)
  }

  /// Reads a file as UTF-8 text.
  ///
  /// - Throws: `CommandError` as `read`, and with the byte offset of what is not UTF-8.
  static func readText(_ path: String, limit: Int, what: String) throws(CommandError) -> String {
    let bytes = try read(path, limit: limit, what: what).bytes
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    let offset = Self.firstInvalid(bytes)
    let line = bytes[..<offset].count { $0 == UInt8(ascii: "\n") } + 1
    throw .input(
      "\(displayName(path)):\(line): byte \(offset) is not UTF-8 text", advice: "Save the file as UTF-8.")
  }

  /// What changes when a file is written or replaced: nil if there is none.
  struct State: Hashable {
    var device: UInt64
    var inode: UInt64
    var size: Int
    var seconds: Int
    var nanoseconds: Int
  }

  /// The state of a file now.
  static func state(_ path: String) -> State? {
    var status = stat()
    guard path != "-", stat(path, &status) == 0 else { return nil }
    return State(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int(status.st_size),
      seconds: Int(status.st_mtim.tv_sec), nanoseconds: Int(status.st_mtim.tv_nsec))
  }

  /// How a file is named in messages.
  static func displayName(_ path: String) -> String { path == "-" ? "standard input" : path }

  private static func firstInvalid(_ bytes: [UInt8]) -> Int {
    var iterator = bytes.makeIterator()
    var decoder = UTF8()
    var offset = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { offset += UTF8.width(scalar) }
    return min(offset, bytes.count)
  }

  private static func read(
    _ descriptor: Int32, _ name: String, _ limit: Int, _ what: String
  ) throws(CommandError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count <= limit {
      let room = min(65_536, limit + 1 - bytes.count)
      var failure: Int32 = 0
      let part = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        var result = Glibc.read(descriptor, buffer.baseAddress, room)
        while result < 0, errno == EINTR { result = Glibc.read(descriptor, buffer.baseAddress, room) }
        failure = result < 0 ? errno : 0
        count = max(0, result)
      }
      if failure != 0 { throw unreadable(name, what, failure) }
      if part.isEmpty { return bytes }
      bytes += part
    }
    throw .input("\(name) is larger than \(limit) bytes, which \(what) never is")
  }

  private static func unreadable(_ name: String, _ what: String, _ code: Int32) -> CommandError {
    .input("\(name): \(what) cannot be read: \(Console.text(ofError: code))")
  }
}
