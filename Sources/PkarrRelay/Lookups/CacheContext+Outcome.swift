import Pkarr
import PkarrClient

extension CacheContext {
  /// What a lookup's result is worth to somebody who knows the cached packet.
  func apply(_ result: Result<SignedPacket, RelayFailure>) -> Result<SignedPacket, RelayFailure> {
    switch result {
    case .success(let found): isBelowFloor(found) ? .failure(.notFound) : result
    case .failure(.invalidSignedPacket(let seq)): covers(invalidSeq: seq) ? .failure(.notFound) : result
    case .failure: result
    }
  }
}
