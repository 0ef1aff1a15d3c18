import Addresses
import Testing

@testable import MainlineProtocol

@Suite struct LookupWalkTests {
  let target = NodeID([UInt8](repeating: 0x55, count: 20))!

  func contact(_ distance: UInt8, _ address: IPAddress, port: UInt16 = 1) -> NodeContact {
    let offset = NodeID([distance] + [UInt8](repeating: 0, count: 19))!
    return NodeContact(id: target ^ offset, endpoint: Endpoint(address, port: port))
  }

  @Test("a lookup has twenty queries in flight, and asks on as soon as one is answered or overdue")
  func parallelism() {
    var walk = Lookup(target: target, limitsAddresses: false)
    for index in 0..<60 {
      walk.add(contact(UInt8(index + 1), .loopbackV4, port: UInt16(index)), isSecure: true, source: nil)
    }
    var asked: [Int] = []
    while let next = walk.survey().next, walk.inFlight < Lookup.maximumInFlight {
      walk.asked(next)
      asked.append(next)
    }
    #expect(asked == Array(0..<20))
    let whileAllWait = walk.survey()
    #expect(whileAllWait.next == nil && !whileAllWait.isComplete)
    walk.overdue(3)
    #expect(walk.survey().next == 20)
    walk.asked(20)
    walk.answered(0, id: walk.candidates[0].contact.id, isSecure: true, token: nil)
    #expect(walk.survey().next == nil)
    #expect(walk.inFlight == 19)
  }

  @Test("on the public network two candidates of a /24 are asked, and one of an address")
  func candidatesPerNetwork() {
    var walk = Lookup(target: target, limitsAddresses: true)
    for last in 1...9 { walk.add(contact(UInt8(last), IPAddress(80, 1, 2, UInt8(last))), isSecure: false, source: nil) }
    #expect(walk.candidates.count == 2)
    walk.add(contact(20, IPAddress(80, 1, 3, 1), port: 1), isSecure: false, source: nil)
    walk.add(contact(21, IPAddress(80, 1, 3, 1), port: 2), isSecure: false, source: nil)
    #expect(walk.candidates.count == 3)
  }

  @Test("of the neighbours that one node invents no more are asked once two of them are silent")
  func inventedNeighbours() {
    var walk = Lookup(target: target, limitsAddresses: false)
    for index in 0..<30 {
      walk.add(contact(UInt8(100 + index), .loopbackV4, port: UInt16(index + 1)), isSecure: true, source: nil)
    }
    for index in 0..<20 {
      walk.add(contact(UInt8(index + 1), .loopbackV6, port: UInt16(index + 1)), isSecure: true, source: 0)
    }
    var invented = 0
    var honest = 0
    while true {
      let survey = walk.survey()
      guard let next = survey.next else { break }
      walk.asked(next)
      if walk.candidates[next].contact.endpoint.address == .loopbackV6 {
        invented += 1
        walk.failed(next)
      } else {
        honest += 1
        walk.answered(next, id: walk.candidates[next].contact.id, isSecure: true, token: [1])
      }
    }
    #expect(walk.survey().isComplete)
    #expect(honest >= 20)
    // One after the other: after two silent ones nobody else is asked whom only the liar names.
    #expect(invented == 2)
  }

  @Test("secure candidates come first, and the eight closest are asked whatever their ids")
  func bothOrders() {
    var walk = Lookup(target: target, limitsAddresses: false)
    for index in 0..<25 {
      walk.add(contact(UInt8(100 + index), .loopbackV4, port: UInt16(index + 1)), isSecure: true, source: nil)
      walk.add(contact(UInt8(index + 1), .loopbackV6, port: UInt16(index + 1)), isSecure: false, source: nil)
    }
    var asked: [Candidate] = []
    while let next = walk.survey().next {
      walk.asked(next)
      asked.append(walk.candidates[next])
      walk.answered(next, id: walk.candidates[next].contact.id, isSecure: walk.candidates[next].isSecure, token: [1])
    }
    #expect(asked.prefix(20).map(\.isSecure) == Array(repeating: true, count: 20))
    #expect(asked.count == 28)
    #expect(asked.suffix(8).map(\.isSecure) == Array(repeating: false, count: 8))
  }
}
