import Pkarr
import Republisher

extension FuzzTarget {
  /// What a republisher reads: its state, lists of keys, files of packets. What is read is written the same way.
  static let republishSource = FuzzTarget(name: "republish-source", maximumLength: 4096) { input in
    let bytes = [UInt8](input)
    if let state = RepublishState(bytes.span.bytes) {
      guard let again = RepublishState(state.encoded().span.bytes) else { fatalError("a state is not read again") }
      require(again.entries.count == state.entries.count && again.damagedLines == 0, "a state loses entries")
      require(
        again.roundStart == state.roundStart && again.isRoundOpen == state.isRoundOpen, "a state forgets its round")
      for (key, entry) in state.entries {
        require(entry.packet.map { $0.publicKey == key } ?? true, "a packet of another key")
        require(again.entries[key]?.checked == entry.checked, "a state forgets when a key was checked")
      }
    }
    let list = KeyListText(bytes.span.bytes, limit: 50)
    require(list.keys.count <= 50 && Set(list.keys).count == list.keys.count, "a list has too many keys")
    require(
      list.flaws.count <= KeyListText.flawLimit && list.flaws.count <= list.flawCount, "a list has too many flaws")
    if let packet = PacketFileForm.packet(bytes, named: "packet") {
      require((try? SignedPacket(packet.bytes)) != nil, "a packet that was not signed")
      require(PacketFileForm.packet(packet.bytes, named: "")?.isSame(as: packet) ?? false, "a packet is not read again")
    }
  }
}
