import CommandLineTool
import EventLoops
import Pkarr
import PkarrClient

/// Finds packets for one command: in the folder of those seen before, else on the network, which is only joined when it is
/// needed.
final class KeyLookups: Sendable {
  private struct State {
    var client: Task<PkarrClient, any Error>?
    var ignoresFolder: Bool
    var hasUsedFolder = false
    var failure: (any Error)?
    var endpointError: EndpointError?
  }

  private let configuration: PkarrClientConfiguration
  private let folder: PacketFolder?
  private let state: LockedValue<State>

  /// - Parameter refreshes: whether packets seen before are passed over.
  init(_ configuration: PkarrClientConfiguration, folder: PacketFolder?, refreshes: Bool) {
    self.configuration = configuration
    self.folder = folder
    state = LockedValue(State(ignoresFolder: refreshes))
  }

  /// Why the network was not reached, for a person; nil if it was.
  var failure: (any Error)? { state.withLock { $0.failure } }
  /// Why the last host had no endpoint.
  var endpointError: EndpointError? { state.withLock { $0.endpointError } }

  func note(_ error: EndpointError) { state.withLock { $0.endpointError = error } }

  /// Passes over packets seen before from now on; false if none was used.
  func refresh() -> Bool {
    state.withLock { state in
      defer { state.ignoresFolder = true }
      return state.hasUsedFolder && !state.ignoresFolder
    }
  }

  /// The packet of a key.
  ///
  /// - Throws: `ResolveError`, or `CommandError` if the network cannot be joined.
  func resolve(_ key: PublicKey) async throws -> SignedPacket {
    let mayUseFolder = state.withLock { !$0.ignoresFolder }
    if mayUseFolder, let packet = folder?.packet(key) {
      state.withLock { $0.hasUsedFolder = true }
      return packet
    }
    let client: PkarrClient
    do {
      client = try await self.client()
    } catch {
      state.withLock { $0.failure = error }
      throw error
    }
    do throws(ResolveFailure) {
      let packet = try await client.resolution(of: key).packet
      folder?.keep(packet)
      return packet
    } catch {
      if error.error.isUnreachable {
        let explanation = RelayAccess.explain(error, key)
        state.withLock { $0.failure = explanation }
      }
      throw error.error
    }
  }

  private func client() async throws -> PkarrClient {
    let configuration = configuration
    let task = state.withLock { state in
      if let client = state.client { return client }
      let task = Task<PkarrClient, any Error> { try await RelayAccess.start(configuration) }
      state.client = task
      return task
    }
    return try await task.value
  }

  /// Leaves the network.
  func shutdown() async {
    let task = state.withLock { $0.client }
    await (try? task?.value)?.shutdown()
  }
}
