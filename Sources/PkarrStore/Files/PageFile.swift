import EventLoops
import Glibc

/// An LMDB file to be looked at with reads, which unlike a map cannot end in a signal.
final class PageFile: PageSource {
  let length: Int
  private let descriptor: Int32

  init(_ path: String) throws(SystemError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw SystemError(code: errno, operation: "open \(path)") }
    var status = stat()
    length = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  deinit { close(descriptor) }

  func announce(_ count: Int) {
    // Only if memory has room for them: the audit jumps to and fro, and would find the first ones gone.
    let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    if count < memory / 2 { posix_fadvise(descriptor, 0, count, POSIX_FADV_WILLNEED) }
  }

  func read(_ page: UInt64, into target: UnsafeMutableRawBufferPointer) -> Bool {
    // Beyond every file, and the multiplication below cannot overflow.
    guard page < 1 << 40 else { return false }
    var done = 0
    while done < target.count {
      let count = pread(descriptor, target.baseAddress! + done, target.count - done, Int(page) * target.count + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }
}
