import Addresses
import CLinux
import Glibc
import HTTP
import PlainText
import Synchronization

/// A folder of files that strangers name. Nothing outside of it is ever opened, whatever its links say.
final class SiteFolder: Sendable {
  private let descriptor: Int32
  private let maximumOpenFiles: Int
  private let followsLinks: Bool

  /// Files that are open, in all and for each client.
  private struct Open {
    var count = 0
    var byClient: [IPAddress: Int] = [:]
  }

  private let opened = Mutex(Open())

  /// Why there is no file.
  enum Failure: Error, Hashable {
    case notFound
    /// Too many are open.
    case busy
    case system(Int32)
  }

  /// Opens the folder.
  ///
  /// - Parameter followsLinks: false does without what old kernels lack, see `linux_open_beneath`.
  /// - Throws: `.system`.
  init(_ path: String, maximumOpenFiles: Int, followsLinks: Bool = true) throws(Failure) {
    self.followsLinks = followsLinks
    descriptor = linux_open_directory(path)
    self.maximumOpenFiles = maximumOpenFiles
    if descriptor < 0 { throw .system(-descriptor) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// What a path names.
  enum Entry {
    case file(SiteFile)
    case folder
  }

  /// Opens a regular file, or says that it is a folder.
  ///
  /// - Parameters:
  ///   - path: relative, without `..`; empty for the folder itself.
  ///   - client: who asks; one address, or one network of IPv6, gets at most half of the files that may be open. Nil: nobody
  ///     in particular.
  func open(_ path: String, for client: IPAddress? = nil) throws(Failure) -> Entry {
    if path.isEmpty { return .folder }
    let client = client.map { $0.isIPv4 ? $0 : $0.prefix(64) }
    guard take(client) else { throw .busy }
    let file =
      followsLinks ? linux_open_beneath(descriptor, path) : linux_open_beneath_by_steps(descriptor, path)
    guard file >= 0 else {
      release(client)
      throw Self.failure(-file)
    }
    var status = stat()
    guard fstat(file, &status) == 0 else {
      let code = errno
      close(file)
      release(client)
      throw .system(code)
    }
    if status.st_mode & S_IFMT == S_IFREG { return .file(SiteFile(file, status, in: self, for: client)) }
    close(file)
    release(client)
    if status.st_mode & S_IFMT == S_IFDIR { return .folder }
    throw .notFound
  }

  /// Counts one more; false if that would be too many.
  private func take(_ client: IPAddress?) -> Bool {
    opened.withLock { opened in
      guard opened.count < maximumOpenFiles else { return false }
      if let client {
        let count = opened.byClient[client, default: 0]
        guard count < max(1, maximumOpenFiles / 2) else { return false }
        opened.byClient[client] = count + 1
      }
      opened.count += 1
      return true
    }
  }

  fileprivate func release(_ client: IPAddress?) {
    opened.withLock { opened in
      opened.count -= 1
      guard let client, let count = opened.byClient[client] else { return }
      opened.byClient[client] = count > 1 ? count - 1 : nil
    }
  }

  private static func failure(_ code: Int32) -> Failure {
    switch code {
    // A link that leads out, a socket, a name that is too long: there is nothing for strangers.
    case ENOENT, ENOTDIR, ELOOP, EXDEV, EACCES, ENAMETOOLONG, ENXIO, ENODEV, EINVAL: .notFound
    case EMFILE, ENFILE, ENOMEM, EAGAIN: .busy
    default: .system(code)
    }
  }
}

/// An open file, as it was when it was opened.
final class SiteFile: Sendable {
  /// In bytes.
  let length: UInt64
  let etag: HTTPEntityTag?
  let lastModified: HTTPDate?
  private let descriptor: Int32
  private let folder: SiteFolder
  private let client: IPAddress?

  fileprivate init(_ descriptor: Int32, _ status: stat, in folder: SiteFolder, for client: IPAddress?) {
    self.descriptor = descriptor
    self.folder = folder
    self.client = client
    length = UInt64(max(0, status.st_size))
    lastModified = HTTPDate(secondsSince1970: UInt64(max(0, status.st_mtim.tv_sec)))
    func hex(_ number: some BinaryInteger) -> String { String(number, radix: 16) }
    etag = HTTPEntityTag(
      "\(hex(status.st_ino))-\(hex(length))-\(hex(status.st_mtim.tv_sec)).\(hex(status.st_mtim.tv_nsec))")
  }

  deinit {
    close(descriptor)
    folder.release(client)
  }

  /// Reads up to `count` bytes; nothing at the end of the file.
  ///
  /// - Throws: `.system`.
  func read(at offset: UInt64, upTo count: Int) throws(SiteFolder.Failure) -> [UInt8] {
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      var result = pread(descriptor, buffer.baseAddress, count, off_t(offset))
      while result < 0, errno == EINTR { result = pread(descriptor, buffer.baseAddress, count, off_t(offset)) }
      failure = result < 0 ? errno : 0
      initialized = max(0, result)
    }
    if failure != 0 { throw .system(failure) }
    return bytes
  }
}
