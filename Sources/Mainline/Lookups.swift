import Addresses
import MainlineProtocol

/// A lookup of a mutable item that is under way: a sequence of items, each more recent than the one before it.
///
/// The first item is the fastest answer, the last one the newest that was found. The lookup ends with the sequence; a
/// caller who does not want to wait for that may just stop. ``outcome()`` tells how it went.
///
/// Iterate it once. The lookup is cancelled when this value and its iterator are released, or the iterating task is
/// cancelled.
public struct MutableLookup: AsyncSequence, Sendable {
  /// A signed item.
  public typealias Element = MutableItem
  /// Why the lookup could not run.
  public typealias Failure = QueryFailure

  private let sink: LookupSink<MutableItem>
  private let stream: AsyncStream<MutableItem>

  init(_ sink: LookupSink<MutableItem>) {
    self.sink = sink
    stream = sink.takeStream()
  }

  /// Waits for the end of the lookup: the newest item, nil if nobody has one, and how the nodes answered.
  ///
  /// Needs no iteration. Cancelling the task cancels the lookup.
  public func outcome() async throws(QueryFailure) -> (newest: MutableItem?, counts: GetOutcome) {
    let result = await withTaskCancellationHandler {
      await sink.result()
    } onCancel: {
      sink.abandon()
    }
    switch result {
    case .mutable(let newest, let counts): return (newest, counts)
    case .failed(let failure): throw failure
    default: throw .cancelled
    }
  }

  /// Begins to wait for items.
  public func makeAsyncIterator() -> LookupIterator<MutableItem> { LookupIterator(sink, stream.makeAsyncIterator()) }
}

/// A lookup of peers that is under way: a sequence of lists of peers, one of each node that knows some.
///
/// Iterate it once. The lookup is cancelled when this value and its iterator are released, or the iterating task is
/// cancelled.
public struct PeerLookup: AsyncSequence, Sendable {
  /// The peers that one node knows.
  public typealias Element = [Endpoint]
  /// Why the lookup could not run.
  public typealias Failure = QueryFailure

  private let sink: LookupSink<[Endpoint]>
  private let stream: AsyncStream<[Endpoint]>

  init(_ sink: LookupSink<[Endpoint]>) {
    self.sink = sink
    stream = sink.takeStream()
  }

  /// Waits for the end of the lookup: how the nodes answered.
  ///
  /// Needs no iteration. Cancelling the task cancels the lookup.
  public func outcome() async throws(QueryFailure) -> GetOutcome {
    let result = await withTaskCancellationHandler {
      await sink.result()
    } onCancel: {
      sink.abandon()
    }
    switch result {
    case .peers(let counts): return counts
    case .failed(let failure): throw failure
    default: throw .cancelled
    }
  }

  /// Begins to wait for lists of peers.
  public func makeAsyncIterator() -> LookupIterator<[Endpoint]> { LookupIterator(sink, stream.makeAsyncIterator()) }
}

/// Waits for what a lookup brings.
public struct LookupIterator<Element: Sendable>: AsyncIteratorProtocol {
  private let sink: LookupSink<Element>
  private var stream: AsyncStream<Element>.Iterator

  init(_ sink: LookupSink<Element>, _ stream: AsyncStream<Element>.Iterator) {
    self.sink = sink
    self.stream = stream
  }

  /// The next one; nil at the end of the lookup. Throws if the lookup could not run or was cancelled.
  public mutating func next(
    isolation actor: isolated (any Actor)? = #isolation
  ) async throws(QueryFailure) -> Element? {
    if let element = await stream.next(isolation: actor) { return element }
    if case .failed(let failure) = await sink.result() { throw failure }
    return nil
  }

  /// The next one; nil at the end of the lookup. Throws if the lookup could not run or was cancelled.
  public mutating func next() async throws(QueryFailure) -> Element? { try await next(isolation: nil) }
}
