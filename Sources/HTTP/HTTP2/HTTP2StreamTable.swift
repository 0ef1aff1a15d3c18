/// The streams of a session by number. The one that was asked for last is at hand: a request's frames and fields come one
/// after another, and each asks for its stream.
struct HTTP2StreamTable {
  private var streams: [Int32: HTTP2Stream] = [:]
  private var latest: (id: Int32, stream: HTTP2Stream)?

  /// A stream; nil if there is none of that number.
  subscript(id: Int32) -> HTTP2Stream? {
    mutating get {
      if let latest, latest.id == id { return latest.stream }
      guard let stream = streams[id] else { return nil }
      latest = (id, stream)
      return stream
    }
  }

  /// How many there are.
  var count: Int { streams.count }
  /// All, in no order.
  var all: some Collection<HTTP2Stream> { streams.values }

  /// Adds a stream.
  mutating func insert(_ stream: HTTP2Stream, _ id: Int32) {
    streams[id] = stream
    latest = (id, stream)
  }

  /// Takes a stream out.
  mutating func remove(_ id: Int32) -> HTTP2Stream? {
    if latest?.id == id { latest = nil }
    return streams.removeValue(forKey: id)
  }

  /// Takes all streams out, in the order of their numbers.
  mutating func removeAll() -> [(id: Int32, stream: HTTP2Stream)] {
    defer { self = HTTP2StreamTable() }
    return streams.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
