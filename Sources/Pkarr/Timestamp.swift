import Synchronization
import WireFormat

#if canImport(Glibc)
  import Glibc  // clock_gettime
#elseif canImport(Musl)
  import Musl  // clock_gettime
#elseif canImport(Darwin)
  import Darwin  // clock_gettime
#endif

/// A moment in microseconds since 1970: the version number of a signed packet, or when one was seen.
public struct Timestamp: Hashable, Sendable {
  /// Microseconds since the beginning of 1970 UTC.
  public let microseconds: UInt64

  /// Takes microseconds since 1970.
  public init(microseconds: UInt64) { self.microseconds = microseconds }

  /// The earliest moment, the beginning of 1970.
  public static let zero = Timestamp(microseconds: 0)

  /// What the wall clock shows. It may stand still and go back; see ``now()`` for versions.
  public static var wallClock: Timestamp {
    var time = timespec()
    guard clock_gettime(CLOCK_REALTIME, &time) == 0, time.tv_sec >= 0 else { return .zero }
    return Timestamp(microseconds: UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000)
  }

  private static let generator = TimestampGenerator()

  /// The wall clock's time, or a little more: later than every earlier result in this process.
  public static func now() -> Timestamp { generator.next(after: .wallClock) }
}

/// Makes timestamps of which each is later than the one before, whatever the clock does. Any thread may ask.
public final class TimestampGenerator: Sendable {
  private let last = Atomic<UInt64>(0)

  /// Starts with no timestamp given out.
  public init() {}

  /// `clock` or one microsecond more than the previous result, whichever is later.
  ///
  /// At the end of time (2⁶⁴ − 1) it stays there.
  public func next(after clock: Timestamp) -> Timestamp {
    let change = last.update { last in max(clock.microseconds, last &+ (last == .max ? 0 : 1)) }
    return Timestamp(microseconds: change)
  }
}

extension Atomic<UInt64> {
  /// Replaces the value by `change` of it and returns the new one.
  fileprivate borrowing func update(_ change: (UInt64) -> UInt64) -> UInt64 {
    var current = load(ordering: .relaxed)
    while true {
      let new = change(current)
      let (exchanged, original) = weakCompareExchange(expected: current, desired: new, ordering: .relaxed)
      if exchanged { return new }
      current = original
    }
  }
}

// MARK: - Arithmetic

extension Timestamp: Comparable {
  /// True if `first` is the earlier one.
  public static func < (first: Timestamp, second: Timestamp) -> Bool { first.microseconds < second.microseconds }

  /// So many microseconds later, at most the end of time (2⁶⁴ − 1).
  public func adding(microseconds count: UInt64) -> Timestamp {
    let (sum, overflow) = microseconds.addingReportingOverflow(count)
    return Timestamp(microseconds: overflow ? .max : sum)
  }

  /// So many microseconds earlier, at least 1970.
  public func subtracting(microseconds count: UInt64) -> Timestamp {
    Timestamp(microseconds: microseconds > count ? microseconds - count : 0)
  }

  /// So many seconds later, at most the end of time.
  public func adding(seconds: UInt64) -> Timestamp {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    return adding(microseconds: overflow ? .max : product)
  }

  /// So many seconds earlier, at least 1970.
  public func subtracting(seconds: UInt64) -> Timestamp {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    return subtracting(microseconds: overflow ? .max : product)
  }

  /// Microseconds from `earlier` to this moment; 0 if `earlier` is the later one.
  public func microseconds(since earlier: Timestamp) -> UInt64 {
    microseconds > earlier.microseconds ? microseconds - earlier.microseconds : 0
  }

  /// Whole seconds from `earlier` to this moment; 0 if `earlier` is the later one.
  public func seconds(since earlier: Timestamp) -> UInt64 { microseconds(since: earlier) / 1_000_000 }
}

// MARK: - Forms

extension Timestamp {
  /// Eight bytes, big-endian: the binary form everywhere.
  public var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: microseconds >> UInt64(56 - 8 * $0)) } }

  /// Reads eight bytes, big-endian; nil for any other number.
  public init?(_ bytes: RawSpan) {
    guard bytes.byteCount == 8 else { return nil }
    self.init(microseconds: UInt64(bigEndian: bytes.unsafeLoadUnaligned(as: UInt64.self)))
  }

  /// The sequence number in the DHT: the same 64 bits, signed (BEP 44).
  public var seq: Int64 { Int64(bitPattern: microseconds) }

  /// Takes a sequence number of the DHT (BEP 44).
  public init(seq: Int64) { self.init(microseconds: UInt64(bitPattern: seq)) }

  /// True if it can be a sequence number that all of the DHT takes, 1 … 2⁶³ − 1.
  ///
  /// Beyond, the number is negative in the DHT and no signature fits it; an item with number 0 cannot be fetched from
  /// nodes that take 0 to mean "none".
  public var isPublishable: Bool { seq >= 1 }
}

extension Timestamp: LosslessStringConvertible {
  /// Thirteen characters of Crockford's base 32, which sort like the moments.
  public var description: String { Base32.crockford.encode(bytes) }

  /// Reads the thirteen upper-case characters that ``description`` gives; nil for anything else.
  public init?(_ text: String) {
    guard text.utf8.count == 13, let bytes = Base32.crockford.decode(text) else { return nil }
    self.init(bytes.span.bytes)
    guard description == text else { return nil }
  }
}
