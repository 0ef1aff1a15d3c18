/// Why a packet store holds nothing of an earlier time.
public enum FreshStart: Hashable, Sendable {
  /// There was none in this directory.
  case firstUse
  /// The system stopped while there were writes that the disk may not have. The file was deleted.
  case afterUncleanPowerLoss
  /// The file is damaged, or of another version. It was deleted.
  case damaged(String)
  /// A file of that name is not ours. It was moved to this path, where it replaced an earlier one.
  case notOurs(movedTo: String)
}

extension FreshStart: CustomStringConvertible {
  /// One line for a person.
  public var description: String {
    switch self {
    case .firstUse: "the packet store is new"
    case .afterUncleanPowerLoss:
      "the system stopped before the packet store was closed, so it begins anew; packets come back from the network"
    case .damaged(let reason): "the packet store begins anew, for its file cannot be used: \(reason)"
    case .notOurs(let path): "the packet store begins anew; a file that it had not written was moved to \(path)"
    }
  }
}
