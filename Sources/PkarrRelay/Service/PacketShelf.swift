import Cryptography
import Pkarr
import PkarrStore

/// All packets that the relay holds: the cache, the answers that lie ready in front of it, and who wants to hear of news.
///
/// The cache decides what is news, under its own lock; everything else follows it.
final class PacketShelf: Sendable {
  let cache: any PacketCache
  let ready: ReadyAnswers
  private let onNews: @Sendable (SignedPacket) -> Void

  init(_ cache: any PacketCache, ready: ReadyAnswers, onNews: @escaping @Sendable (SignedPacket) -> Void) {
    self.cache = cache
    self.ready = ready
    self.onNews = onNews
  }

  /// What the cache holds of a key.
  struct Holding: Sendable {
    var packet: SignedPacket?
    /// What is needed to keep an answer made from it.
    var version: ReadyAnswers.Version
  }

  /// Looks for the packet of a key, which thereby counts as used.
  func holding(of key: PublicKey) -> Holding {
    let version = ready.version(of: key)
    return Holding(packet: cache.packet(for: key.target), version: version)
  }

  /// Takes a packet if it is news; it is safe on disk soon.
  func offer(_ packet: SignedPacket) { follow(cache.offer(packet), packet) }

  /// Takes a packet if it is news, and returns once it is safe on disk.
  ///
  /// Throws `RelayFailure.notKept` if it could not be written.
  func store(_ packet: SignedPacket) async throws(RelayFailure) {
    do throws(StoreError) {
      follow(try await cache.store(packet), packet)
    } catch {
      // Readers see what was offered, written or not.
      follow(.stored, packet)
      throw .notKept("\(error)")
    }
  }

  /// Says that a packet was used whose answer lay ready; false if the cache has given it up.
  func use(_ key: PublicKey) -> Bool { cache.packet(for: key.target) != nil }

  private func follow(_ update: CacheUpdate, _ packet: SignedPacket) {
    switch update {
    case .stored:
      ready.update(packet)
      onNews(packet)
    case .refreshed: ready.update(packet)
    case .kept: break
    }
  }
}
