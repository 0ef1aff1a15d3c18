import DNSResolution
import Pkarr

/// Where packets of keys are looked for.
protocol KeyNetwork: Sendable {
  /// Where searches are best run: not where clients are answered, who must not wait for them.
  var executor: any TaskExecutor { get }

  /// Looks for the newest packet of a key, to the end. Tells each packet that is more recent than all before it; what it
  /// returns is nil if there was one, and else why there is none.
  func search(
    _ key: PublicKey, onPacket: @escaping @Sendable (SignedPacket, DNSResolution.PacketSource) -> Void
  ) async -> KeyLookupResult?

  /// How it looks from here.
  func status() async -> KeyNetworkStatus
}

/// How the networks of keys look from here.
struct KeyNetworkStatus: Sendable {
  /// True if the DHT is used.
  var usesDHT = false
  /// Nodes in the routing table that answered lately.
  var goodNodes = 0
  /// Estimated number of nodes in the DHT.
  var networkSize = 0.0
  /// Share of the last 1000 requests that were answered; nil before the first.
  var responseRate: Double?
  /// Requests sent to nodes.
  var requestsSent: UInt64 = 0
  /// Requests without an answer.
  var timeouts: UInt64 = 0
  /// The relays that are asked.
  var relays: [String] = []
  /// Answers of relays that told something about the key, and all others.
  var relayAnswers: UInt64 = 0
  /// Requests to relays that failed.
  var relayFailures: UInt64 = 0

  /// True if names of keys can be resolved.
  var isReady: Bool { goodNodes > 0 || relayAnswers > 0 || (!usesDHT && relayFailures == 0 && !relays.isEmpty) }
}
