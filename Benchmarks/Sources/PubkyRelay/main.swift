// One relay of ours on loopback with a DHT of its own, to be measured:
//   PubkyRelay [--nodes N | --bootstrap HOST:PORT] [--cache FOLDER [--size N]] [--certificate FILE --key FILE]
//
// Prints the port, the port for TLS (0 without a certificate), a path that is cached and an entrance to its DHT, and ends
// when its standard input does. One thread serves requests; the DHT has another one.
import Addresses
import EventLoops
import Glibc
import HTTP
import Logging
import Mainline
import Pkarr
import PkarrRelay

func option(_ name: String) -> String? {
  guard let index = CommandLine.arguments.firstIndex(of: name), index + 1 < CommandLine.arguments.count else {
    return nil
  }
  return CommandLine.arguments[index + 1]
}

let entrance = option("--bootstrap").flatMap { HostName($0) }
let testnet = try await Testnet(nodes: entrance == nil ? option("--nodes").flatMap { Int($0) } ?? 10 : 1)
if entrance != nil { await testnet.stop() }
var options = RelayServer.Options()
options.makeLogger = { _ in .silent }
let relay = RelayServer.test(on: testnet, options: options) { configuration in
  configuration.http.threads = 1
  configuration.http.connections = 20_000
  configuration.http.connectionsPerAddress = 0
  configuration.http.watchers = 10_000
  configuration.http.watchersPerAddress = 10_000
  configuration.cache.path = option("--cache")
  if let size = option("--size").flatMap({ Int($0) }) { configuration.cache.size = size }
  if let entrance { configuration.mainline.bootstrap = [entrance] }
  if let certificate = option("--certificate"), let key = option("--key") {
    var tls = RelayConfiguration.TLSSettings()
    tls.port = 0
    tls.certificate = certificate
    tls.key = key
    configuration.http.tls = tls
  }
}
try await relay.start()
let packet = try SignedPacket(signedBy: Keypair()) {
  A("www", "203.0.113.7", ttl: .hours(1))
  TXT("_hello", String(repeating: "x", count: 100), ttl: .hours(1))
}
let url = HTTPURL("http://127.0.0.1:\(relay.localEndpoints[0].port)/\(packet.publicKey.z32)")!
let answer = try await HTTPClient().send(HTTPClientRequest(.put, url, body: .bytes(packet.relayPayload)))
precondition(answer.status == .noContent, "the relay did not take a packet: \(answer.status)")
print(
  relay.localEndpoints[0].port, relay.localEndpoints.count > 1 ? relay.localEndpoints[1].port : 0, packet.publicKey.z32,
  entrance ?? testnet.bootstrap[0])
fflush(nil)
while readLine() != nil {}
await relay.shutdown()
if entrance == nil { await testnet.stop() }
