// Puts load on a server with TLS, for those whom no other load generator understands: raw public keys.
//   WebLoad handshakes COUNT PORT IDENTITY      one connection after the other, each with one small request
//   WebLoad download COUNT PORT IDENTITY PATH   a file so many times over one connection
//
// IDENTITY is a public key (52 characters), or the file of a certificate for localhost. Prints the seconds that it took.
import Addresses
import Glibc
import HTTP
import Pkarr
import TLS

let arguments = CommandLine.arguments
guard arguments.count >= 5, let count = Int(arguments[2]), let port = UInt16(arguments[3]) else {
  print("usage: WebLoad handshakes|download COUNT PORT IDENTITY [PATH]")
  exit(2)
}
var configuration = HTTPClientConfiguration()
let identity: HTTPRoute.Identity
if let key = try? PublicKey(parsing: arguments[4]) {
  configuration.tls.trust = .rawKeysOnly
  identity = .rawKey(key.verificationKey)
} else {
  configuration.tls.trust = .file(path: arguments[4])
  identity = .certificate(hostName: "localhost")
}
let route = HTTPRoute(Endpoint(.loopbackV4, port: port), identity)
configuration.resolver = { _ in [route] }
let isHandshakes = arguments[1] == "handshakes"
if isHandshakes { configuration.idleConnectionsPerHost = 0 }
let client = try HTTPClient(configuration)
let path = arguments.count > 5 ? arguments[5] : "/"
let url = HTTPURL("https://localhost:\(port)\(path)")!

func ask() async throws -> Int {
  let response = try await client.send(HTTPClientRequest(.get, url))
  guard response.status == .ok else { throw HTTPError.malformed("status \(response.status.code)") }
  var bytes = 0
  while let piece = try await response.body.read() { bytes += piece.count }
  return bytes
}

_ = try await ask()
let start = ContinuousClock.now
var bytes = 0
for _ in 0..<count { bytes += try await ask() }
let took = (ContinuousClock.now - start).components
print(Double(took.seconds) + Double(took.attoseconds) / 1e18, bytes)
