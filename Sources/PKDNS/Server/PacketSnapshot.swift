import EventLoops
import Glibc

/// The files in which packets outlive a restart, one for each thread of the server: `packets`, `packets.1`, …. They are
/// hints: what is damaged is left out, and a missing one is none.
struct PacketSnapshot: Sendable {
  let path: String

  /// Most bytes that are read: a hundred thousand packets and more.
  private static let sizeLimit = 256 << 20

  private func path(of index: Int) -> String { index == 0 ? path : "\(path).\(index)" }

  /// What the file of a thread holds; nil if there is none.
  func read(_ index: Int) -> [UInt8]? { try? FileReader.read(path(of: index), limit: Self.sizeLimit) }

  /// Replaces the file of a thread; why that failed, or nil.
  func write(_ bytes: [UInt8], of index: Int) -> SystemError? {
    do throws(SystemError) {
      try Self.write(bytes, to: path(of: index))
      return nil
    } catch {
      return error
    }
  }

  /// Replaces a file in one step, so that it is never half of one.
  private static func write(_ bytes: [UInt8], to path: String) throws(SystemError) {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SystemError(code: errno, operation: "write \(temporary)") }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let code = errno
        close(descriptor)
        unlink(temporary)
        throw SystemError(code: code, operation: "write \(temporary)")
      }
      written += count
    }
    fsync(descriptor)
    close(descriptor)
    guard rename(temporary, path) == 0 else { throw SystemError(code: errno, operation: "rename \(temporary)") }
  }
}
