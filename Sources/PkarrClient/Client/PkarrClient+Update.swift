import Pkarr

/// What is published under a key, for its owner to change.
public enum PublishedState: Sendable {
  /// Nothing that anybody knows of.
  case nothing
  /// The newest packet.
  case packet(SignedPacket)
  /// The newest item, of this version, is no signed packet: the key is in use, by another program perhaps.
  case unreadable(seq: Int64)

  /// The newest packet; nil if there is none.
  public var packet: SignedPacket? { if case .packet(let packet) = self { packet } else { nil } }

  /// The version that a new packet must exceed.
  var observed: Timestamp {
    switch self {
    case .nothing: .zero
    case .packet(let packet): packet.timestamp
    case .unreadable(let seq): Timestamp(seq: max(0, seq))
    }
  }
}

/// Why a change was not published.
public enum UpdateError: Error, Sendable {
  /// What is published is not known.
  case resolve(ResolveError)
  /// The records that were given do not make a packet.
  case build(SignedPacketBuildError)
  /// The new packet was not published.
  case publish(PublishError)

  /// The stable name of the error inside.
  public var name: String {
    switch self {
    case .resolve(let error): error.name
    case .build(let error): error.name
    case .publish(let error): error.name
    }
  }
}

extension UpdateError: CustomStringConvertible {
  /// The description of the error inside.
  public var description: String {
    switch self {
    case .resolve(let error): error.description
    case .build(let error): error.description
    case .publish(let error): error.description
    }
  }
}

/// Changing what is published.
extension PkarrClient {
  /// Replaces what is published under a key, knowing what that is.
  ///
  /// Looks up the newest packet everywhere, lets `records` say what is to be there instead (the complete records, since
  /// what is left out is gone), signs them with a version above everything seen, and publishes the packet. Updates and
  /// publications of one key through this client run one after the other.
  ///
  /// ```swift
  /// try await client.publish(updating: keypair) { state in
  ///   for record in state.packet?.records ?? [] where record.type != .a { record }
  ///   A("www", "203.0.113.7")
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - keypair: the owner's.
  ///   - attempts: how often to begin anew if somebody else publishes at the same time; `records` is asked each time.
  ///   - records: the new records.
  /// - Throws: ``UpdateError``.
  @discardableResult
  public func publish(
    updating keypair: Keypair, attempts: Int = 3,
    @PacketRecordsBuilder _ records: @Sendable (PublishedState) -> [RecordDraft]
  ) async throws(UpdateError) -> PublishReport {
    let key = keypair.publicKey
    do throws(PublishError) {
      try await queue.enter(key, nil)
    } catch {
      throw .publish(error)
    }
    defer { queue.leave(key) }
    var attempt = 1
    while true {
      let packet = try build(keypair, on: try await publishedState(of: key), records)
      let report = await send(packet)
      guard case .failure(let error) = report.result else { return report }
      guard error == .notMostRecent, attempt < attempts else { throw .publish(error) }
      attempt += 1
    }
  }

  private func build(
    _ keypair: Keypair, on state: PublishedState, _ records: (PublishedState) -> [RecordDraft]
  ) throws(UpdateError) -> SignedPacket {
    let timestamp = max(.now(), state.observed.adding(microseconds: 1))
    guard timestamp.isPublishable else { throw .publish(.notPublishable(.timestamp(timestamp))) }
    let drafts = records(state)
    do throws(SignedPacketBuildError) {
      return try SignedPacket(signedBy: keypair, timestamp: timestamp) { return drafts }
    } catch {
      throw .build(error)
    }
  }

  /// What is published under a key: the newest of all networks, or the cached packet if that is newer.
  private func publishedState(of key: PublicKey) async throws(UpdateError) -> PublishedState {
    let race = await lookup(key, .networkOnly, cached: nil).run()
    let state: PublishedState
    do throws(ResolveFailure) {
      state = .packet(try conclude(race, key, cached: nil, allowsStale: false).packet)
    } catch {
      switch error.error {
      case .notFound: state = .nothing
      case .invalidSignedPacket(let seq):
        guard race.isCredible(invalidSeq: seq, at: clock.wallClock()) else { throw .resolve(error.error) }
        state = .unreadable(seq: seq)
      case .noDHTNodesQueried, .noResponses, .noUsableResponses, .unexpectedResponses, .cancelled:
        throw .resolve(error.error)
      }
    }
    guard let cached = cache?.peek(key.target), cached.timestamp > state.observed else { return state }
    return .packet(cached)
  }
}

extension ResolveRace {
  /// True if an item of this version that is no packet is to be believed in, and replaced.
  ///
  /// On the DHT its owner has signed it. A relay only says so: if it could name any version, its lie would make the owner
  /// sign the last version there is, and nothing could ever be published after that.
  fileprivate func isCredible(invalidSeq seq: Int64, at now: Timestamp) -> Bool {
    if case .failure(.invalidSignedPacket(seq))? = completion?.result { return true }
    return seq < 0 || Timestamp(seq: seq) <= now.adding(seconds: 86400)
  }
}
