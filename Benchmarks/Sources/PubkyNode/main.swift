// One DHT node of ours on loopback, to be measured:  PubkyNode [NEIGHBOUR-PORT]...
//
// Prints its port and ends when its standard input does, like LibtorrentNode.
import Addresses
import EventLoops
import Glibc
import Mainline

let neighbours = CommandLine.arguments.dropFirst().compactMap { UInt16($0) }
var configuration = MainlineConfiguration.isolated(
  bootstrap: neighbours.map { HostName(Endpoint(.loopbackV4, port: $0)) })
configuration.node.storage.mutableItems = 100_000
let node = try await MainlineNode(configuration)
print(node.localEndpoints[0].port)
fflush(nil)
while readLine() != nil {}
try await node.shutdown()
