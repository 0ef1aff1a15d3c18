import Glibc

/// Bytes of a body that wait to be sent, in the pieces in which they were written.
struct HTTP2OutgoingBody: Sendable {
  /// Pieces below that size are joined.
  private static let smallPiece = 4096

  private var piece: [UInt8] = []
  /// What of `piece` was read already.
  private var offset = 0
  private var later: [[UInt8]] = []
  private var nextLater = 0
  /// Bytes that were not read yet.
  private(set) var count = 0

  /// True if there are none.
  var isEmpty: Bool { count == 0 }

  /// Takes bytes, without copying larger pieces.
  mutating func append(_ bytes: [UInt8]) {
    if bytes.isEmpty { return }
    defer { count += bytes.count }
    if isEmpty {
      piece = bytes
      offset = 0
    } else if let last = later.last, last.count + bytes.count <= Self.smallPiece {
      later[later.count - 1].append(contentsOf: bytes)
    } else {
      later.append(bytes)
    }
  }

  /// Copies what fits into `buffer`; the number of bytes.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var copied = 0
    while copied < buffer.count, count > 0 {
      let length = min(buffer.count - copied, piece.count - offset)
      piece.withUnsafeBytes { piece in
        if let target = buffer.baseAddress, let source = piece.baseAddress {
          memcpy(target + copied, source + offset, length)
        }
      }
      copied += length
      offset += length
      count -= length
      if offset == piece.count { takeNextPiece() }
    }
    return copied
  }

  private mutating func takeNextPiece() {
    offset = 0
    guard nextLater < later.count else {
      piece = []
      return
    }
    piece = later[nextLater]
    later[nextLater] = []
    nextLater += 1
    // A queue that is never empty must not grow for ever.
    if nextLater == later.count || nextLater >= 64 {
      later.removeSubrange(..<nextLater)
      nextLater = 0
    }
  }

  /// Forgets all.
  mutating func removeAll() { self = HTTP2OutgoingBody() }
}
