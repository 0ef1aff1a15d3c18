import Configuration

/// How a service keeps alive what it is asked for: the table `[republish]` in its configuration. Without the table it does
/// not.
public struct PacketKeeperSettings: Hashable, Sendable {
  /// `keys`: how many keys are looked after at most, those that were asked for last.
  public var keys = 10_000
  /// `window`: a key that nobody has asked for during this time is looked after no longer.
  public var window = Duration.seconds(86_400)
  /// `requests`: how often a key must have been asked for, within a window and the one before.
  public var requests = 2
  /// `interval`: time from one check of a key to the next.
  public var interval = Duration.seconds(3600)
  /// `threshold`: a packet is put again when fewer than so many of the nodes that it belongs to hold it.
  public var threshold = 10
  /// `rate`: checks a second, at most.
  public var rate = 5

  /// The defaults.
  public init() {}

  /// Checks at the same time: those of three seconds or so, which is how long a slow one takes.
  private static let concurrency = 4...64

  /// When a key is wanted.
  var limits: RequestedKeys.Limits { RequestedKeys.Limits(capacity: keys, window: window, requests: requests) }

  /// When a wanted key is checked, and when its packet is put.
  var policy: RepublishPolicy {
    var policy = RepublishPolicy()
    policy.interval = interval
    policy.threshold = threshold
    policy.rate = Double(rate)
    policy.concurrency = min(max(3 * rate, Self.concurrency.lowerBound), Self.concurrency.upperBound)
    return policy
  }
}

extension PacketKeeperSettings: Decodable {
  private enum Key: String, CodingKey { case keys, window, requests, interval, threshold, rate }

  /// Decodes `[republish]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    keys = try values.decode(.keys, default: keys, in: 1...100_000)
    window = try values.decode(.window, default: window, in: .seconds(60)...(.seconds(30 * 86_400)))
    requests = try values.decode(.requests, default: requests, in: 1...1_000_000)
    interval = try values.decode(.interval, default: interval, in: .seconds(60)...(.seconds(7 * 86_400)))
    threshold = try values.decode(.threshold, default: threshold, in: 1...72)
    rate = try values.decode(.rate, default: rate, in: 1...1000)
    let most = Int64(rate) * interval.components.seconds
    if Int64(keys) > most {
      throw values.invalid(
        [.rate, .interval].first { values.contains($0) } ?? .keys,
        "\(rate) checks a second are \(most) in one interval, too few for \(keys) keys; raise rate or interval, or lower keys"
      )
    }
  }
}
