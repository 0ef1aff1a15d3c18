import Addresses
import Testing

@testable import MainlineProtocol

@Suite("The node's public address by vote")
struct AddressVotesTests {
  private let home = Endpoint("203.0.114.9:6881")!
  private let other = Endpoint("203.0.115.9:6881")!
  private func at(_ seconds: Int) -> Instant { Instant(nanoseconds: 1).advanced(by: .seconds(seconds)) }
  /// A responder of its own /16.
  private func voter(_ number: Int, host: UInt32 = 1) -> Endpoint {
    Endpoint(IPAddress(v4: 0x2d00_0000 + UInt32(number) << 16 + host), port: 6881)
  }
  private func cast(
    _ votes: inout AddressVotes, _ seen: Endpoint, by voters: some Sequence<Int>, at seconds: Int = 0
  ) {
    for number in voters { votes.vote(seen, by: voter(number), at: at(seconds)) }
  }

  @Test("five votes from four providers establish an address; four votes, or three providers, do not")
  func quorum() {
    var votes = AddressVotes()
    cast(&votes, home, by: 0..<4)
    #expect(votes.lookupEnded(at: at(0)) == false)
    #expect(votes.publicEndpoint == nil)
    cast(&votes, home, by: 4..<5)
    #expect(votes.lookupEnded(at: at(0)) == true)
    #expect(votes.publicEndpoint == home)
    #expect(votes.lookupEnded(at: at(1)) == false, "nothing new")

    var narrow = AddressVotes()
    for number in 0..<9 { narrow.vote(home, by: voter(number % 3, host: UInt32(number) << 8 + 1), at: at(0)) }
    #expect(narrow.count == 9)
    #expect(narrow.lookupEnded(at: at(0)) == false)
  }

  @Test("60 % must agree")
  func share() {
    var votes = AddressVotes()
    cast(&votes, home, by: 0..<8)
    cast(&votes, other, by: 8..<14)
    #expect(votes.lookupEnded(at: at(0)) == false, "8 of 14 are 57 %")
    cast(&votes, home, by: 14..<15)
    #expect(votes.lookupEnded(at: at(0)) == true, "9 of 15")
    #expect(votes.publicAddress == home.address)
  }

  @Test("a network has one vote however many addresses it answers from")
  func stuffing() {
    var votes = AddressVotes()
    cast(&votes, home, by: 0..<6)
    for host in UInt32(1)..<255 { votes.vote(other, by: voter(99, host: host), at: at(0)) }
    #expect(votes.count == 7)
    #expect(votes.lookupEnded(at: at(0)) == true)
    #expect(votes.publicAddress == home.address)
  }

  @Test("one lookup full of liars does not move an established address, and their old votes do not count twice")
  func takeover() {
    var votes = AddressVotes()
    cast(&votes, home, by: 0..<10)
    #expect(votes.lookupEnded(at: at(0)) == true)
    cast(&votes, other, by: 20..<60, at: 10)
    #expect(votes.lookupEnded(at: at(10)) == false)
    for second in 11..<50 { #expect(votes.lookupEnded(at: at(second)) == false) }
    #expect(votes.publicAddress == home.address)
    cast(&votes, other, by: 60..<64, at: 60)
    #expect(votes.lookupEnded(at: at(60)) == false, "four fresh votes are no win")
    cast(&votes, other, by: 64..<65, at: 61)
    #expect(votes.lookupEnded(at: at(61)) == true)
    #expect(votes.publicAddress == other.address)
  }

  @Test("a win of the established address in between ends the challenge")
  func endedChallenge() {
    var votes = AddressVotes()
    cast(&votes, home, by: 0..<10)
    _ = votes.lookupEnded(at: at(0))
    cast(&votes, other, by: 20..<60, at: 10)
    _ = votes.lookupEnded(at: at(10))
    cast(&votes, home, by: 100..<160, at: 20)
    _ = votes.lookupEnded(at: at(20))
    cast(&votes, other, by: 200..<260, at: 30)
    #expect(votes.lookupEnded(at: at(30)) == false, "the challenge begins anew")
    #expect(votes.publicAddress == home.address)
  }

  @Test("after a real change the same responders can say so at once")
  func realChange() {
    var votes = AddressVotes()
    cast(&votes, home, by: 0..<10)
    _ = votes.lookupEnded(at: at(0))
    cast(&votes, other, by: 0..<10, at: 100)
    #expect(votes.count == 10)
    #expect(votes.lookupEnded(at: at(100)) == false)
    cast(&votes, other, by: 0..<10, at: 200)
    #expect(votes.lookupEnded(at: at(200)) == true)
    #expect(votes.publicEndpoint == other)
  }

  @Test("votes end after an hour, and only the last 64 are kept")
  func bounds() {
    var votes = AddressVotes()
    cast(&votes, home, by: 0..<200)
    #expect(votes.count == 64)
    var slow = AddressVotes()
    cast(&slow, home, by: 0..<4, at: 0)
    cast(&slow, home, by: 4..<5, at: 3600)
    #expect(slow.count == 1)
    #expect(slow.lookupEnded(at: at(3600)) == false)
  }

  @Test("a port that every destination sees differently means a symmetric NAT: no port is known")
  func symmetric() {
    var votes = AddressVotes()
    for number in 0..<10 {
      votes.vote(Endpoint(home.address, port: UInt16(1000 + number)), by: voter(number), at: at(0))
    }
    #expect(votes.lookupEnded(at: at(0)) == true)
    #expect(votes.publicAddress == home.address)
    #expect(votes.isSymmetric && votes.publicPort == nil && votes.publicEndpoint == nil)
    cast(&votes, home, by: 20..<40)
    #expect(votes.lookupEnded(at: at(1)) == true)
    #expect(!votes.isSymmetric && votes.publicEndpoint == home)
  }

  @Test("addresses that cannot be public are no votes; on an isolated network they are")
  func scope() {
    for text in ["127.0.0.1:1", "192.168.1.2:1", "100.64.0.1:1", "0.0.0.0:1", "224.0.0.1:1", "203.0.114.9:0"] {
      var votes = AddressVotes()
      cast(&votes, Endpoint(text)!, by: 0..<20)
      #expect(votes.count == 0, "\(text)")
    }
    var isolated = AddressVotes(acceptsAnyAddress: true)
    let loopback = Endpoint("127.0.0.1:7000")!
    isolated.vote(loopback, by: Endpoint("127.0.0.1:7001")!, at: at(0))
    isolated.vote(loopback, by: Endpoint("127.0.0.1:7002")!, at: at(0))
    #expect(isolated.count == 2)
    #expect(isolated.lookupEnded(at: at(0)) == true)
    #expect(isolated.publicEndpoint == loopback)
  }

  @Test("a configured address is reported at once and no vote changes it; disagreement shows (D16)")
  func configured() {
    var votes = AddressVotes(configured: home)
    #expect(votes.publicEndpoint == home && votes.disagreement == nil)
    for round in 0..<3 {
      cast(&votes, other, by: (round * 20)..<(round * 20 + 20), at: round)
      #expect(votes.lookupEnded(at: at(round)) == false)
    }
    #expect(votes.publicEndpoint == home)
    #expect(votes.disagreement == other.address)

    var portless = AddressVotes(configured: Endpoint(home.address, port: 0))
    #expect(portless.publicAddress == home.address && portless.publicPort == nil)
    cast(&portless, home, by: 0..<5)
    #expect(portless.lookupEnded(at: at(0)) == true)
    #expect(portless.publicEndpoint == home)
  }
}
