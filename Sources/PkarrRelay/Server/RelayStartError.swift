import EventLoops
import PkarrStore
import TLS

/// Why a relay could not be started.
public enum RelayStartError: Error, Hashable, Sendable {
  /// A socket or thread cannot be had.
  case system(SystemError)
  /// The cache in this directory cannot be opened.
  case cache(directory: String, StoreError)
  /// A certificate or key cannot be used.
  case tls(TLSError)
  /// The file of the relay's own key cannot be used; why, for a person.
  case keyFile(path: String, why: String)
}

extension RelayStartError: CustomStringConvertible {
  /// What was wrong, and where, in one line.
  public var description: String {
    switch self {
    case .system(let error): "\(error)"
    case .cache(let directory, let error): "the cache in \(directory) cannot be opened: \(error)"
    case .tls(let error): "\(error)"
    case .keyFile(let path, let why): "\(path): \(why)"
    }
  }
}
