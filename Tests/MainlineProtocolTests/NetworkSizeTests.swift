import Addresses
import TestSupport
import Testing

@testable import MainlineProtocol

@Suite("Network size and where to store")
struct NetworkSizeTests {
  struct File: Decodable {
    struct Formula: Decodable {
      let name: String
      let distancesHex: [HexBytes]
      let estimate: Double
    }
    struct Node: Decodable {
      let idHex: HexBytes
      let ip: String
      let port: UInt16
    }
    struct Case: Decodable {
      let name: String
      let targetHex: HexBytes
      let dhtSizeEstimate: Double
      let averageSubnets: Double
      let nodesInOrderOfArrival: [Node]
      let sortedIds: [HexBytes]
      let take: Int
      let sizeEstimate: Double
      let subnetsOfFirst20: Int
    }
    let sizeFormula: [Formula]
    let cases: [Case]
  }

  private let vectors: File

  init() throws { vectors = try Vectors.load("mainline/sybil.json", keys: .convertFromSnakeCase) }

  private func isClose(_ a: Double, _ b: Double) -> Bool { a == b || abs(a - b) <= 1e-9 * max(abs(a), abs(b)) }

  @Test("the formula gives the published estimates")
  func formula() {
    #expect(vectors.sizeFormula.count == 5)
    for vector in vectors.sizeFormula {
      let ids = vector.distancesHex.map { NodeID($0.bytes + [0, 0, 0, 0])! }
      let estimate = NetworkSizeEstimate.estimate(ids: ids, target: .zero)
      #expect(isClose(estimate, vector.estimate), "\(vector.name): \(estimate)")
    }
    #expect(NetworkSizeEstimate.estimate(ids: [.zero, .zero], target: .zero).isFinite)
  }

  @Test("order, estimate, address blocks and number of storing nodes agree with the reference")
  func cases() throws {
    #expect(vectors.cases.count == 11)
    for vector in vectors.cases {
      let target = try #require(NodeID(vector.targetHex.bytes))
      let arrived = Dictionary(
        vector.nodesInOrderOfArrival.map {
          (
            NodeID($0.idHex.bytes)!,
            NodeContact(id: NodeID($0.idHex.bytes)!, endpoint: Endpoint(IPAddress($0.ip)!, port: $0.port))
          )
        }, uniquingKeysWith: { first, _ in first })
      let sorted = try vector.sortedIds.map { try #require(arrived[NodeID($0.bytes)!]) }
      // The order that the reference has is: secure ids first, then by distance.
      let ours = sorted.shuffled().sorted { a, b in
        let (first, second) = (isSecure(a), isSecure(b))
        return first == second ? a.id ^ target < b.id ^ target : first
      }
      #expect(ours == sorted, "\(vector.name)")
      #expect(
        isClose(NetworkSizeEstimate.estimate(ids: sorted.map(\.id), target: target), vector.sizeEstimate),
        "\(vector.name)")
      #expect(
        NetworkSizeEstimate.subnets(of: sorted.map(\.endpoint.address)) == vector.subnetsOfFirst20, "\(vector.name)")
      let count = StorageCut.count(
        of: sorted, target: target, sizeEstimate: vector.dhtSizeEstimate, averageSubnets: vector.averageSubnets)
      #expect(count == vector.take, "\(vector.name)")
    }
  }

  private func isSecure(_ contact: NodeContact) -> Bool {
    SecureNodeID.isValid(contact.id, for: contact.endpoint.address, exemptsLocalNetworks: true)
  }

  @Test("never more than 64 nodes, however many crowd at the target (D13)", arguments: [64, 65, 255, 256, 300, 5000])
  func cap(responders: Int) {
    let crowd = (0..<responders).map {
      NodeContact(id: NodeID(0, 0, UInt32($0)), endpoint: Endpoint(IPAddress(v4: 0x0b00_0000 + UInt32($0)), port: 1))
    }
    #expect(StorageCut.count(of: crowd, target: .zero, sizeEstimate: 1000, averageSubnets: 12) == 64)
  }

  @Test("fewer than 20 responders are all stored at")
  func few() {
    for count in [0, 1, 7, 19, 20] {
      let responders = (0..<count).map {
        NodeContact(id: NodeID(~0, UInt64($0), 0), endpoint: Endpoint(IPAddress(v4: UInt32($0) << 26 | 1), port: 1))
      }
      #expect(StorageCut.count(of: responders, target: .zero, sizeEstimate: 2e8, averageSubnets: 1) == count)
    }
  }

  // MARK: Averages

  private func observation(_ estimate: Double, responders: Int = 20, subnets: Int = 15)
    -> NetworkSizeEstimate.Observation
  {
    .init(candidates: estimate, responders: estimate, responderCount: responders, subnets: subnets)
  }

  @Test("the averages settle at what is seen and stay there (D11)")
  func settling() {
    var estimate = NetworkSizeEstimate()
    #expect(estimate.nodeCount == 0 && estimate.relativeDeviation == .infinity)
    #expect(estimate.storageEstimate == 1_000_000 && estimate.averageSubnets == 12)
    for _ in 0..<2000 { estimate.record(observation(50_000)) }
    #expect(isClose(estimate.nodeCount, 50_000))
    #expect(abs(estimate.storageEstimate - 50_000) < 1)
    #expect(abs(estimate.averageSubnets - 15) < 1e-6)
    for _ in 0..<20_000 { estimate.record(observation(50_000)) }
    #expect(abs(estimate.storageEstimate - 50_000) < 1, "no drift over days")
    #expect((0.02...0.05).contains(estimate.relativeDeviation))
  }

  @Test("lookups with fewer than eight responders change nothing")
  func tooFew() {
    var estimate = NetworkSizeEstimate()
    for _ in 0..<100 { estimate.record(observation(20, responders: 7)) }
    #expect(estimate.lookupCount == 0 && estimate.storageEstimate == 1_000_000 && estimate.averageSubnets == 12)
  }

  @Test(
    "no single lookup, however forged, moves the storage figure by more than a factor of two",
    arguments: [0, -5, 1, 1e30, .infinity, -.infinity, .nan])
  func forged(value: Double) {
    var estimate = NetworkSizeEstimate()
    for _ in 0..<500 { estimate.record(observation(1000)) }
    for _ in 0..<50 {
      let before = estimate.storageEstimate
      estimate.record(observation(value, subnets: value < 0 ? -3 : 99))
      #expect(estimate.storageEstimate <= before * 2 && estimate.storageEstimate >= before / 2)
      #expect((20...200_000_000).contains(estimate.storageEstimate))
      #expect((20...200_000_000).contains(estimate.nodeCount))
      #expect((1...20).contains(estimate.averageSubnets))
    }
  }

  @Test("the public figure is the plain mean of the first lookups")
  func publicFigure() {
    var estimate = NetworkSizeEstimate()
    for value in [100.0, 200, 600] { estimate.record(observation(value)) }
    #expect(isClose(estimate.nodeCount, 300))
    #expect(estimate.lookupCount == 3)
    #expect(isClose(estimate.relativeDeviation, 0.157148115057516), "\(estimate.relativeDeviation)")
  }
}
