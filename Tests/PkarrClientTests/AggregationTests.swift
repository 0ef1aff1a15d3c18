import Pkarr
import TestSupport
import Testing

@testable import PkarrClient

/// `aggregation.json`: how the results of several sources become one.
@Suite("Aggregation")
struct AggregationTests {
  /// A result of a publication: `ok` or an error.
  struct Outcome: Decodable {
    let ok: Int?
    let error: String?
    let code: Int?
    let description: String?
    let seq: Int64?
    let acceptable: Bool?
    let packet: Packet?

    var publishResult: Result<Int, PublishError> {
      get throws {
        if let ok { return .success(ok) }
        switch error {
        case "UnexpectedResponses": return .failure(.unexpectedResponses)
        case "NoResponses": return .failure(.noResponses)
        case "NoDhtNodesQueried": return .failure(.noDHTNodesQueried)
        case "NotMostRecent": return .failure(.notMostRecent)
        case "Rejected":
          return .failure(.rejected(code: try #require(code), description: try #require(description)))
        default: throw UnknownError(name: error)
        }
      }
    }

    var resolveError: ResolveError {
      get throws {
        switch error {
        case "UnexpectedResponses": return .unexpectedResponses
        case "NoResponses": return .noResponses
        case "NoDhtNodesQueried": return .noDHTNodesQueried
        case "NoUsableResponses": return .noUsableResponses
        case "NotFound": return .notFound
        case "InvalidSignedPacket": return .invalidSignedPacket(seq: try #require(seq))
        default: throw UnknownError(name: error)
        }
      }
    }
  }

  struct UnknownError: Error { let name: String? }

  struct Packet: Decodable {
    let timestamp: UInt64
    let valueRank: Int
    let ageSeconds: UInt64?
    let lastSeenMicroseconds: UInt64?
    let recordTtl: UInt32?

    /// The packet, seen as long before `now` as the vector says.
    func signed(at now: Timestamp) throws -> SignedPacket {
      var builder = SignedPacketBuilder().timestamp(Timestamp(microseconds: timestamp))
      // More records give larger bytes: the count stands in front.
      for rank in 0..<max(valueRank, recordTtl == nil ? 0 : 1) {
        builder = builder.txt("rank\(rank)", "x", ttl: TimeToLive(seconds: recordTtl ?? 300))
      }
      var packet = try builder.sign(with: Samples.keypair)
      packet.lastSeen =
        lastSeenMicroseconds.map { Timestamp(microseconds: $0) } ?? now.subtracting(seconds: ageSeconds ?? 0)
      return packet
    }
  }

  struct Context: Decodable {
    let cached: Packet?
    let min: UInt32
    let max: UInt32
  }

  struct PublishRow: Decodable {
    let name: String
    let results: [Outcome]
    let expected: Outcome
  }

  struct ResolveRow: Decodable {
    let name: String
    let context: Context?
    let results: [Outcome]
    let expected: Outcome
  }

  struct File: Decodable {
    let publish: [PublishRow]
    let resolve: [ResolveRow]
    let publishErrorPriorityLowToHigh: [String]
    let resolveErrorPriorityLowToHigh: [String]
  }

  static func load() throws -> File { try Vectors.load("pkarr/aggregation.json", keys: .convertFromSnakeCase) }

  @Test("results of publications are put together as the reference does, in any order")
  func publications() throws {
    let rows = try Self.load().publish
    #expect(rows.count == 15)
    for row in rows {
      let results = try row.results.map { try $0.publishResult }
      let expected = try row.expected.publishResult
      for order in [results, results.reversed()] {
        var accumulator = PublishAccumulator()
        for result in order { accumulator.record(result) }
        #expect(accumulator.result == expected, "\(row.name)")
      }
    }
  }

  @Test("answers are put together as the reference does, and end the wait when they may")
  func resolutions() throws {
    let now = Timestamp(microseconds: 1_700_000_000_000_000)
    let rows = try Self.load().resolve
    #expect(rows.count == 13)
    for row in rows {
      let context = try row.context.map { context in
        CacheContext(
          cached: try context.cached?.signed(at: now),
          policy: CachePolicy(
            minimumTTL: TimeToLive(seconds: context.min), maximumTTL: TimeToLive(seconds: context.max)))
      }
      var accumulator = ResolveAccumulator(context: context)
      for outcome in row.results {
        let result: Result<SignedPacket, ResolveError> =
          if let packet = outcome.packet {
            .success(try packet.signed(at: now))
          } else {
            .failure(try outcome.resolveError)
          }
        let acceptable = accumulator.record(result, from: .dht, at: now)
        #expect(acceptable == outcome.acceptable, "\(row.name)")
      }
      switch accumulator.result {
      case .success(let candidate):
        let expected = try #require(row.expected.packet).signed(at: now)
        #expect(candidate.packet == expected, "\(row.name)")
      case .failure(let error):
        let expected = try row.expected.resolveError
        #expect(error == expected, "\(row.name)")
      }
    }
  }

  @Test("among equally frequent errors the one that says more wins, as the reference orders them")
  func priorities() throws {
    let file = try Self.load()
    let publish: [PublishError] = [
      .unexpectedResponses, .noResponses, .noDHTNodesQueried, .rejected(code: 1, description: ""), .notMostRecent,
    ]
    #expect(publish.map(\.name) == file.publishErrorPriorityLowToHigh)
    #expect(publish.map(\.specificity) == publish.map(\.specificity).sorted())
    let resolve: [ResolveError] = [
      .unexpectedResponses, .noResponses, .noDHTNodesQueried, .noUsableResponses, .notFound,
      .invalidSignedPacket(seq: 1),
    ]
    #expect(resolve.map(\.name) == file.resolveErrorPriorityLowToHigh)
    #expect(resolve.map(\.specificity) == resolve.map(\.specificity).sorted())
    for (lower, higher) in zip(publish, publish.dropFirst()) where higher != .notMostRecent {
      var accumulator = PublishAccumulator()
      accumulator.record(.failure(higher))
      accumulator.record(.failure(lower))
      #expect(accumulator.result == .failure(higher))
    }
  }

  @Test("the packet chosen names who sent it")
  func sources() throws {
    let now = Timestamp.wallClock
    let (old, new) = (try Samples.packet(1), try Samples.packet(2))
    var accumulator = ResolveAccumulator()
    _ = accumulator.record(.success(old), from: .dht, at: now)
    _ = accumulator.record(.success(new), from: .relay("https://a.example"), at: now)
    #expect(try accumulator.result.get().source == .relay("https://a.example"))
    #expect(try accumulator.result.get().packet.isSame(as: new))
  }
}
