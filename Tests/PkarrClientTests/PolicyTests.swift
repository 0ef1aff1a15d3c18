import Foundation
import MainlineProtocol
import Pkarr
import TestSupport
import Testing

@testable import PkarrClient

@Suite("Policies, bounds and errors")
struct PolicyTests {
  @Test("policies have exactly the texts that relays take")
  func policyTexts() throws {
    #expect(ResolvePolicy.allCases.map(\.description) == ["CacheOnly", "CacheFirst", "NetworkOnly"])
    for policy in ResolvePolicy.allCases { #expect(ResolvePolicy(policy.description) == policy) }
    for text in ["", "cacheFirst", "CACHEFIRST", "CacheFirst ", "NetworkFirst"] { #expect(ResolvePolicy(text) == nil) }
    let coded = try JSONEncoder().encode(ResolvePolicy.allCases)
    #expect(String(decoding: coded, as: UTF8.self) == #"["CacheOnly","CacheFirst","NetworkOnly"]"#)
    #expect(try JSONDecoder().decode([ResolvePolicy].self, from: coded) == ResolvePolicy.allCases)
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([ResolvePolicy].self, from: Data(#"["cacheOnly"]"#.utf8))
    }
  }

  @Test("a packet is accepted exactly as long as its time to live has not passed")
  func acceptance() throws {
    struct File: Decodable {
      struct Row: Decodable {
        let recordTtls: [UInt32]
        let min: UInt32
        let max: UInt32
        let elapsedSeconds: UInt64
        let isExpired: Bool
      }
      let cases: [Row]
    }
    let rows = try Vectors.load("pkarr/ttl.json", as: File.self, keys: .convertFromSnakeCase).cases
    #expect(rows.count >= 10)
    let now = Timestamp.wallClock
    for row in rows {
      var builder = SignedPacketBuilder()
      for ttl in row.recordTtls { builder = builder.txt("_", "x", ttl: TimeToLive(seconds: ttl)) }
      var packet = try builder.sign(with: Samples.keypair)
      packet.lastSeen = now.subtracting(seconds: row.elapsedSeconds)
      let context = CacheContext(
        cached: nil,
        policy: CachePolicy(minimumTTL: TimeToLive(seconds: row.min), maximumTTL: TimeToLive(seconds: row.max)))
      #expect(context.accepts(packet, at: now) == (!row.isExpired || row.max == 0))
    }
    let never = CacheContext(cached: nil, policy: CachePolicy(minimumTTL: 0, maximumTTL: 0))
    #expect(never.accepts(try Samples.packet(1).seen(secondsAgo: 1_000_000)))
  }

  @Test("the cached packet is a floor for packets and for versions that are none")
  func floor() throws {
    let context = CacheContext(cached: try Samples.packet(10, "b"), policy: CachePolicy())
    #expect(context.isBelowFloor(try Samples.packet(9, "c")))
    #expect(context.isBelowFloor(try Samples.packet(10, "a")))
    #expect(!context.isBelowFloor(try Samples.packet(10, "b")))
    #expect(!context.isBelowFloor(try Samples.packet(10, "c")))
    #expect(!context.isBelowFloor(try Samples.packet(11, "a")))
    #expect([-1, 0, 9, 10, 11].map { context.covers(invalidSeq: $0) } == [false, true, true, true, false])
    let empty = CacheContext(cached: nil, policy: CachePolicy())
    #expect(!empty.isBelowFloor(try Samples.packet(0)) && !empty.covers(invalidSeq: 0))
    // Beyond what a sequence number can be, everything is covered.
    let last = CacheContext(cached: try Samples.packet(.max), policy: CachePolicy())
    #expect(last.covers(invalidSeq: .max) && !last.covers(invalidSeq: -1))
  }

  @Test("the network is asked for what is at least as new as the cached packet")
  func bounds() throws {
    func context(_ version: UInt64) throws -> CacheContext {
      CacheContext(cached: try Samples.packet(version), policy: CachePolicy())
    }
    #expect(CacheContext(cached: nil, policy: CachePolicy()).dhtBound == nil)
    #expect(try [0, 1, 10, 1 << 63, .max].map { try context($0).dhtBound } == [nil, 0, 9, .max, nil])
    #expect(CacheContext(cached: nil, policy: CachePolicy()).relayBound == nil)
    #expect(
      try [0, 999_999, 1_000_000, 1_000_001].map { try context($0).relayBound?.microseconds } == [nil, nil, 0, 1])
  }

  @Test("errors for people have three parts, and no two are alike")
  func descriptions() {
    let publish: [PublishError] = [
      .noDHTNodesQueried, .noResponses, .rejected(code: 205, description: "too big"), .notMostRecent,
      .unexpectedResponses, .notPublishable(.timestamp(.zero)), .notPublishable(.signature), .cancelled,
    ]
    let resolve: [ResolveError] = [
      .noDHTNodesQueried, .noResponses, .noUsableResponses, .notFound, .invalidSignedPacket(seq: 3),
      .unexpectedResponses, .cancelled,
    ]
    let texts = publish.map(\.description) + resolve.map(\.description)
    #expect(Set(texts).count == texts.count)
    for text in texts {
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == 3 && lines.allSatisfy { (10...120).contains($0.count) }, "\(text)")
    }
    #expect(Set(publish.map(\.name)).count == 7 && Set(resolve.map(\.name)).count == 7)
  }
}

@Suite("Reports of the DHT")
struct ReportTests {
  struct Counters: Decodable {
    let queried: Int
    let values: Int
    let noValues: Int
    let noMoreRecent: Int
    let invalidValues: Int
    let invalidResponses: Int
    let krpcErrors: Int

    var report: ResolveReport {
      var counts = GetOutcome()
      counts.queried = queried
      counts.values = values
      counts.noValues = noValues
      counts.noMoreRecent = noMoreRecent
      counts.invalidValues = invalidValues
      counts.invalidResponses = invalidResponses
      counts.errors = krpcErrors
      return ResolveReport(counts)
    }
  }
  struct Policy: Decodable {
    let minimumPublishStoredNodes: Int
    let minimumQueriedNodes: Int
    let minimumRespondedNodes: Int
    let minimumUsableResponses: Int
    let reportMalformedResponses: Bool
    let reportKrpcErrors: Bool
  }
  struct Publication: Decodable {
    let policy: String
    let storedOn: Int
    let warnings: [[String: [String: Int]]]
  }
  struct Resolution: Decodable {
    let policy: String
    let outcome: Counters
    let warnings: [[String: [String: Int]]]
  }
  struct Failure: Decodable {
    let outcome: Counters
    let error: String
  }
  struct Section: Decodable {
    let policies: [String: Policy]
    let publish: [Publication]
    let resolve: [Resolution]
    let reportToError: [Failure]
  }
  struct File: Decodable { let dhtReports: Section }

  private static func load() throws -> Section {
    try Vectors.load("pkarr/aggregation.json", as: File.self, keys: .convertFromSnakeCase).dhtReports
  }

  private static let policies: [String: ReportPolicy] = ["mainnet": .mainnet, "testnet": .testnet]

  /// A warning as the vectors spell it (keys in camel case, as the decoder turns them).
  private func spell(_ warning: ReportWarning) -> [String: [String: Int]] {
    switch warning {
    case .tooFewNodesStored(let count, let minimum): [warning.name: ["storedOn": count, "minimum": minimum]]
    case .tooFewNodesQueried(let count, let minimum): [warning.name: ["queried": count, "minimum": minimum]]
    case .tooFewNodesResponded(let count, let minimum): [warning.name: ["responded": count, "minimum": minimum]]
    case .tooFewUsableResponses(let count, let minimum): [warning.name: ["usableResponses": count, "minimum": minimum]]
    case .malformedResponses(let values, let responses):
      [warning.name: ["malformedValues": values, "malformedResponses": responses]]
    case .krpcErrors(let count): [warning.name: ["krpcErrors": count]]
    }
  }

  /// The decoder turns snake case in keys of dictionaries as well, or not: take both spellings for one.
  private func normalised(_ warnings: [[String: [String: Int]]]) -> [[String: [String: Int]]] {
    warnings.map { $0.mapValues { fields in Dictionary(fields.map { (Self.camelCase($0), $1) }) { $1 } } }
  }

  private static func camelCase(_ text: String) -> String {
    let words = text.split(separator: "_")
    return words.dropFirst().reduce(String(words[0])) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
  }

  @Test("the thresholds are those of the reference")
  func thresholds() throws {
    let section = try Self.load()
    #expect(section.policies.count == 2)
    for (name, expected) in section.policies {
      let policy = try #require(Self.policies[name])
      #expect(policy.minimumStoredNodes == expected.minimumPublishStoredNodes)
      #expect(policy.minimumQueriedNodes == expected.minimumQueriedNodes)
      #expect(policy.minimumRespondedNodes == expected.minimumRespondedNodes)
      #expect(policy.minimumUsableResponses == expected.minimumUsableResponses)
      #expect(policy.reportsMalformedResponses == expected.reportMalformedResponses)
      #expect(policy.reportsKRPCErrors == expected.reportKrpcErrors)
    }
  }

  @Test("figures below the thresholds are warned about, in the order of the reference")
  func warnings() throws {
    let section = try Self.load()
    #expect(section.publish.count == 3 && section.resolve.count == 4)
    for row in section.publish {
      let policy = try #require(Self.policies[row.policy])
      #expect(policy.warnings(storedOn: row.storedOn).map(spell) == normalised(row.warnings))
    }
    for row in section.resolve {
      let policy = try #require(Self.policies[row.policy])
      #expect(row.outcome.report.warnings(policy).map(spell) == normalised(row.warnings))
    }
  }

  @Test("a lookup that finds nothing says how far it came")
  func failures() throws {
    let rows = try Self.load().reportToError
    #expect(rows.count == 4)
    // The reference calls two of them otherwise below the client.
    let names = ["NoNodesQueried": "NoDhtNodesQueried", "NoNodesResponded": "NoResponses"]
    for row in rows { #expect(row.outcome.report.failure.name == names[row.error] ?? row.error) }
  }
}
