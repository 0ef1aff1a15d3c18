import Mainline
import MainlineProtocol
import Pkarr

let keypair = Keypair()
let packet = try SignedPacket(signedBy: keypair) {
  TXT("_hello", "world", ttl: .minutes(5))
  A("www", "203.0.113.7", ttl: .hours(1))
}

// A network of our own on this machine; `MainlineNode()` alone joins the public one.
let testnet = try await Testnet(nodes: 10)
let node = try await MainlineNode(.isolated(bootstrap: testnet.bootstrap))

let item = try MutableItem(
  key: packet.publicKey.verificationKey, seq: packet.mutableItem().seq,
  value: ItemValue.encoding(byteString: packet.messageBytes), signature: packet.signature)
let outcome = try await node.putMutable(item)
print("stored on \(outcome.stored) nodes")

// Each better copy as it arrives; the signature has been checked by the node.
for try await item in node.getMutable(key: keypair.publicKey.verificationKey) {
  guard let value = item.bytes else { continue }
  let found = try SignedPacket(
    key: item.key.bytes.span.bytes, value: value.span.bytes, seq: item.seq,
    signature: item.signature.bytes.span.bytes, isVerified: true)
  for record in found.records(named: "www") { print(record) }
}
try await node.shutdown()
await testnet.stop()
