import DNSResolution
import EventLoops
import Pkarr

/// The last searches for keys and what came of them, for those who run the server. Any thread may use it.
final class LookupJournal: Sendable {
  /// One search.
  struct Entry: Sendable {
    let key: PublicKey
    let at: Timestamp
    let took: Duration
    let outcome: Outcome
  }

  /// How a search ended.
  enum Outcome: Sendable {
    case found(DNSResolution.PacketSource)
    case failed(KeyLookupResult)

    /// For a person.
    var text: String {
      switch self {
      case .found(.dht): "found on the DHT"
      case .found(.relay(let url)): "found at \(url)"
      case .found(.disk): "kept from before"
      case .failed(.packet): "found"
      case .failed(.notFound(let nodes, let relays)): "nobody has it (\(nodes) nodes and \(relays) relays asked)"
      case .failed(.failure(let failure)): Self.text(failure)
      }
    }

    private static func text(_ failure: KeyLookupFailure) -> String {
      switch failure {
      case .notReady(let size): "the DHT is not ready (\(size) nodes known)"
      case .unreachable(let nodes, let relays): "nobody answered (\(nodes) nodes and \(relays) relays asked)"
      case .network(let reason): "network: \(reason)"
      case .invalid(let reason): "invalid: \(reason)"
      case .timeout: "it took too long"
      case .overloaded: "too many searches are under way"
      }
    }
  }

  /// Entries that are kept.
  static let capacity = 32
  private let entries = LockedValue<[Entry]>([])

  func add(_ entry: Entry) {
    entries.withLock { entries in
      if entries.count == Self.capacity { entries.removeFirst() }
      entries.append(entry)
    }
  }

  /// The newest first.
  var latest: [Entry] { entries.withLock { $0.reversed() } }
}
