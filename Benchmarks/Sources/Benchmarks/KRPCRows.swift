import CPeers
import Cryptography
@_spi(Benchmarks) import MainlineProtocol
import WireFormat

/// KRPC messages against libtorrent's bencoding.
enum KRPCRows {
  static func rows() throws -> [Row] {
    var random = RandomSource(seed: 1)
    let reply = KRPCProbe.GetReply { random.bytes($0) }
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 16)
    var writer = WireWriter(output)
    reply.write(to: &writer)
    let bytes = [UInt8](writer.written)
    let text = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
    for (index, byte) in bytes.enumerated() { text[index] = CChar(bitPattern: byte) }
    let target = output.baseAddress!.assumingMemoryBound(to: CChar.self)
    let fields = KRPCProbe.parse(bytes.span.bytes)
    // Both must find the same fields, of which libtorrent counts `y` too.
    guard let fields, libtorrent_bdecode_get_reply(text.baseAddress, text.count) == Int32(fields + 1),
      libtorrent_prepare(text.baseAddress, text.count) == 0, libtorrent_bencode(target) == Int32(bytes.count)
    else { fatalError("libtorrent reads the example differently") }
    let times = medianNanoseconds(of: [
      Work("parse") { sink &+= KRPCProbe.parse(bytes.span.bytes) ?? 0 },
      Work("bdecode") { sink &+= Int(libtorrent_bdecode(text.baseAddress, text.count)) },
      Work("bdecode and fields") { sink &+= Int(libtorrent_bdecode_get_reply(text.baseAddress, text.count)) },
      Work("write") {
        var writer = WireWriter(output)
        reply.write(to: &writer)
        sink &+= writer.count
      },
      Work("bencode") { sink &+= Int(libtorrent_bencode(target)) },
    ])
    return [
      Row(
        name: "get reply of \(bytes.count) bytes into typed fields", measured: times[0], unit: "ns",
        peer: ("libtorrent bdecode", times[1]), target: .ratio(atMost: 0.25)),
      Row(
        name: "the same, libtorrent finding the fields too", measured: times[0], unit: "ns",
        peer: ("libtorrent bdecode", times[2])),
      Row(
        name: "get reply written", measured: times[3], unit: "ns", peer: ("libtorrent bencode", times[4]),
        target: .ratio(atMost: 0.35)),
    ]
  }
}
