import CLMDB
import EventLoops
import Glibc

/// Why a packet store could not be opened or written.
public enum StoreError: Error, Hashable, Sendable {
  /// Another store, in this process or another one, has this directory open.
  case inUse(directory: String)
  /// The disk has no room, and making room by dropping old packets did not help.
  case diskFull
  /// Too many writes were waiting: the disk is slower than what arrives.
  case overloaded
  /// The store has been closed.
  case closed
  /// The file is damaged, or none of ours; why, for a person.
  case damaged(String)
  /// A call of the system failed.
  case system(SystemError)
  /// LMDB failed with this code.
  case database(code: Int32, operation: String)

  /// The error of a call of LMDB, which returns its own codes (negative) and those of the system.
  init(_ code: Int32, _ operation: String) {
    switch code {
    case MDB_MAP_FULL, MDB_TXN_FULL, ENOSPC, EDQUOT, EFBIG: self = .diskFull
    case 1...: self = .system(SystemError(code: code, operation: operation))
    default: self = .database(code: code, operation: operation)
    }
  }
}

extension StoreError: CustomStringConvertible {
  /// One line for a person: what was wrong, and what to do.
  public var description: String {
    switch self {
    case .inUse(let directory): "\(directory) is in use by another process; give each its own directory"
    case .diskFull: "the packet store has no room on its disk"
    case .overloaded: "too many packets are waiting to be written; the disk is too slow"
    case .closed: "the packet store is closed"
    case .damaged(let reason): "the packet store cannot be read: \(reason)"
    case .system(let error): "\(error)"
    case .database(let code, let operation): "\(operation): \(String(cString: mdb_strerror(code)))"
    }
  }
}

/// Throws the error of a call of LMDB unless it succeeded.
@inline(__always)
func check(_ code: Int32, _ operation: @autoclosure () -> String) throws(StoreError) {
  if code != 0 { throw StoreError(code, operation()) }
}
