import CLMDB

/// A place in the mapped file, noted by a thread that read there for the one that will write there.
///
/// With random keys each write goes to a page that is in no cache of the writing core, and whose address is not in its table
/// of translations either. Whoever knows the place some writes ahead can have both fetched meanwhile. Nothing is ever read
/// through it: the page may have moved on, and the map be another one, which makes fetching vain but does no harm.
struct PagePlace {
  /// 0 if it is not known.
  let address: UInt

  /// Takes a place; nil if it is not known.
  init(_ pointer: UnsafeRawPointer?) { address = UInt(bitPattern: pointer) }

  /// Asks the processor for the page's head and for the place itself.
  @inline(__always)
  func prefetch() {
    guard let place = UnsafeRawPointer(bitPattern: address) else { return }
    prefetch_bytes(UnsafeRawPointer(bitPattern: address & ~(TouchedPages.pageSize - 1)), 64)
    prefetch_bytes(place, 64)
  }
}
