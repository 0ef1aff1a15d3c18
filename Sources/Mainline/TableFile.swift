import Addresses
import EventLoops
import Glibc
import MainlineProtocol

/// The file that a node's routing table is kept in over restarts: lines of text.
///
///     mainline-table 1
///     id ipv4 0123456789abcdef0123456789abcdef01234567
///     public 203.0.113.7:6881
///     node fedcba9876543210fedcba9876543210fedcba98 198.51.100.1:6881
///
/// The file is a hint, and hostile until proven otherwise: what cannot be read is skipped, and a file that is not one of
/// these is as good as none.
struct TableFile: Hashable, Sendable {
  let path: String

  private static let header = "mainline-table 1"
  /// Bytes read at most; 400 nodes over IPv6 need 40 kB.
  private static let maximumSize = 1 << 18
  private static let maximumNodes = 1000

  /// What the file holds; nil if there is none or it is something else.
  func read() -> SavedNodes? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: Self.maximumSize)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
      if got <= 0 { break }
      count += got
    }
    return Self.parse(String(decoding: bytes[..<count], as: UTF8.self))
  }

  static func parse(_ text: String) -> SavedNodes? {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: true)[...]
    guard lines.popFirst() == header[...] else { return nil }
    var saved = SavedNodes()
    for line in lines {
      let words = line.split(separator: " ").map(String.init)
      switch words.first {
      case "id" where words.count == 3:
        guard let family = IPAddress.Family(rawValue: words[1]), let id = NodeID(words[2]) else { continue }
        saved.ids[family] = id
      case "public" where words.count == 2 && saved.publicEndpoints.count < 2:
        if let endpoint = Endpoint(words[1]), endpoint.port != 0 { saved.publicEndpoints.append(endpoint) }
      case "node" where words.count == 3 && saved.nodes.count < maximumNodes:
        guard let id = NodeID(words[1]), let endpoint = Endpoint(words[2]), endpoint.port != 0 else { continue }
        saved.nodes.append(NodeContact(id: id, endpoint: endpoint))
      default: continue
      }
    }
    return saved
  }

  static func text(_ saved: SavedNodes) -> String {
    var lines = [header]
    for (family, id) in saved.ids.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      lines.append("id \(family.rawValue) \(id)")
    }
    lines += saved.publicEndpoints.map { "public \($0)" }
    lines += saved.nodes.map { "node \($0.id) \($0.endpoint)" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Replaces the file in one step, so that an interrupted write leaves the old one.
  func write(_ saved: SavedNodes) throws(SystemError) {
    let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).new"
    let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SystemError(code: errno, operation: "create \(temporary)") }
    do throws(SystemError) {
      try Self.write(Array(Self.text(saved).utf8), to: descriptor, temporary)
      guard fsync(descriptor) == 0 else { throw SystemError(code: errno, operation: "write \(temporary)") }
      close(descriptor)
    } catch {
      close(descriptor)
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = SystemError(code: errno, operation: "write \(path)")
      unlink(temporary)
      throw error
    }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, _ name: String) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw SystemError(code: errno, operation: "write \(name)") }
      done += written
    }
  }
}
