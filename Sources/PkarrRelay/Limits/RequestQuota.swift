/// How many requests in how much time: `2r/s`, `100r/m`.
public struct RequestQuota: Hashable, Sendable {
  /// A stretch of time, written as one letter.
  public enum Unit: String, CaseIterable, Sendable {
    /// `s`
    case second = "s"
    /// `m`
    case minute = "m"
    /// `h`
    case hour = "h"
    /// `d`
    case day = "d"

    /// Its length in nanoseconds.
    public var nanoseconds: UInt64 {
      switch self {
      case .second: 1_000_000_000
      case .minute: 60_000_000_000
      case .hour: 3_600_000_000_000
      case .day: 86_400_000_000_000
      }
    }
  }

  /// How many, at least 1.
  public let count: UInt32
  /// In which time.
  public let unit: Unit

  /// Joins a count, which must not be 0, and a unit.
  public init(_ count: UInt32, per unit: Unit) {
    precondition(count > 0, "a quota lets something pass")
    self.count = count
    self.unit = unit
  }

  /// Nanoseconds after which one more request is let through; 0 for counts that no clock can tell apart.
  public var interval: UInt64 { unit.nanoseconds / UInt64(count) }
}

extension RequestQuota: LosslessStringConvertible {
  /// Reads `<count>r/<unit>`: digits that make 1…2³² − 1, without spaces, and a unit in lower case; nil for anything else.
  public init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].last == UInt8(ascii: "r"), let unit = Unit(rawValue: String(Substring(parts[1])))
    else { return nil }
    let digits = parts[0].dropLast()
    guard (1...20).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }),
      let count = UInt32(Substring(digits)), count > 0
    else { return nil }
    self.init(count, per: unit)
  }

  /// `100r/m`
  public var description: String { "\(count)r/\(unit.rawValue)" }
}

/// A quota, and how many requests may come at once.
public struct RequestLimit: Hashable, Sendable {
  /// How many in the long run.
  public let quota: RequestQuota
  /// How many at once, at least 1.
  public let burst: UInt32

  /// Joins a quota and a burst, which is as large as the quota's count unless told otherwise.
  ///
  /// Throws if the burst is 0, or the quota lets more through than one a nanosecond.
  public init(_ quota: RequestQuota, burst: UInt32? = nil) throws(RequestLimitError) {
    if burst == 0 { throw .noBurst }
    if quota.interval == 0 { throw .tooHigh(quota) }
    self.quota = quota
    self.burst = burst ?? quota.count
  }

  private init(checked quota: RequestQuota) {
    self.quota = quota
    burst = quota.count
  }

  /// `2r/s`, two at once: what a relay lets through if nothing else is said.
  public static let standard = RequestLimit(checked: RequestQuota(2, per: .second))
}

/// Why a limit cannot be used.
public enum RequestLimitError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A burst of 0 lets nothing through.
  case noBurst
  /// More than one request a nanosecond.
  case tooHigh(RequestQuota)

  /// What is wrong, for a person.
  public var description: String {
    switch self {
    case .noBurst: "a burst of 0 lets nothing through; the least is 1"
    case .tooHigh(let quota): "the quota \(quota) is too high: at most one request a nanosecond can be counted"
    }
  }
}
