/// The 20 bytes of a cache key as they stand in the file.
struct KeyBytes: BitwiseCopyable {
  private let first: UInt64
  private let second: UInt64
  private let third: UInt32

  static let count = 20

  init(_ key: CacheKey) {
    first = key.first.bigEndian
    second = key.second.bigEndian
    third = key.third.bigEndian
  }

  init(_ bytes: UnsafeRawBufferPointer) {
    first = bytes.loadUnaligned(as: UInt64.self)
    second = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    third = bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
  }

  /// Lends the bytes.
  @inline(__always)
  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var copy = self
    let outcome: Swift.Result<Result, Failure> = withUnsafeMutableBytes(of: &copy) { bytes in
      do throws(Failure) {
        return .success(try body(UnsafeRawBufferPointer(rebasing: bytes[..<Self.count])))
      } catch {
        return .failure(error)
      }
    }
    return try outcome.get()
  }
}
