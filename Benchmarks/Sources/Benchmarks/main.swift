import CPeers
import Foundation
let here = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
_ = pin_to_core(0)
var ports = [UInt16](repeating: 0, count: 32)
_ = responders_start(32, &ports)
let lt = try NodeProcess("libtorrent", here.appending(path: "LibtorrentNode"), [], neighbours: ports)
for _ in 0..<2 {
print("ping", lt.load(query_ping, seconds: 1))
print("find", lt.load(query_find_node, seconds: 1))
print("get", lt.load(query_get, seconds: 1))
}
print(lt.memory)
lt.stop()
