import CommandLineTool
import Pkarr
import PkarrClient
import PlainText

/// `pubky resolve --timings`: the same lookup with an empty cache, from the cache, and at the whole network, and how long
/// each takes.
enum LookupTimings {
  private static let lookups: [(name: String, policy: ResolvePolicy)] = [
    ("cold", .cacheFirst), ("cached", .cacheFirst), ("network", .networkOnly),
  ]

  /// One lookup, told as soon as it has ended.
  private struct Timing {
    let name: String
    let policy: ResolvePolicy
    let resolution: Resolution
    let took: Duration

    var microseconds: Int64 { took.components.seconds * 1_000_000 + took.components.attoseconds / 1_000_000_000_000 }
  }

  /// Looks a key up through one client.
  static func run(_ key: PublicKey, _ arguments: ParsedArguments, _ console: Console) async throws {
    let timings = try await RelayAccess.withClient(
      arguments, console, doing: "Looking for \(key.z32)", undone: "The lookups were not finished."
    ) { client, _ in
      var timings: [Timing] = []
      for (name, policy) in lookups {
        let start = ContinuousClock.now
        do throws(ResolveFailure) {
          let resolution = try await client.resolution(of: key, policy: policy)
          timings.append(Timing(name: name, policy: policy, resolution: resolution, took: .now - start))
        } catch {
          throw RelayAccess.explain(error, key)
        }
      }
      return timings
    }
    if console.isJSON {
      for timing in timings { try console.print(json: object(timing)) }
      return
    }
    var table = Table(
      ["lookup", "policy", "time", "source", "version"], alignments: [.left, .left, .right, .left, .left])
    for timing in timings {
      table.add([
        timing.name, timing.policy.description,
        console.isForPerson ? DurationText.describe(timing.took) : "\(timing.microseconds)",
        timing.resolution.source.word, "\(timing.resolution.packet.timestamp.microseconds)",
      ])
    }
    try console.print(table)
  }

  private static func object(_ timing: Timing) -> JSON {
    [
      "lookup": .string(timing.name), "policy": .string(timing.policy.description),
      "microseconds": JSON(timing.microseconds), "source": .string(timing.resolution.source.word),
      "timestamp": JSON(timing.resolution.packet.timestamp.microseconds),
      "stale": .bool(timing.resolution.isStale),
    ]
  }
}
