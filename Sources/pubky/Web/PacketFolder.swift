import Cryptography
import Glibc
import Pkarr
import WireFormat

/// Packets that `pubky get` has seen, one file each, so that the next run need not ask the network. Whatever goes wrong
/// here is as if nothing had been kept.
struct PacketFolder: Sendable {
  private let path: String

  /// Files beyond this are removed, those first that were written longest ago.
  private static let maximumFiles = 1000

  /// The folder for one network, below `$XDG_CACHE_HOME/pubky` or `~/.cache/pubky`; nil without a home.
  ///
  /// - Parameter network: options that name the network, so that a private one is never taken for the public one.
  init?(network: String) {
    guard let folder = Self.cacheFolder else { return nil }
    let name = Hex.encode(Array(SHA1.hash(Array(network.utf8).span.bytes).bytes.prefix(8)))
    path = "\(folder)/pubky/packets-\(name)"
  }

  private static var cacheFolder: String? {
    if let folder = getenv("XDG_CACHE_HOME").map({ String(cString: $0) }), folder.hasPrefix("/") { return folder }
    guard let home = getenv("HOME").map({ String(cString: $0) }), home.hasPrefix("/") else { return nil }
    return home + "/.cache"
  }

  private func file(_ key: PublicKey) -> String { "\(path)/\(key.z32)" }

  /// The packet of a key, its signature checked; nil if there is none that is still good.
  func packet(_ key: PublicKey) -> SignedPacket? {
    guard let bytes = try? InputFile.read(file(key), limit: SignedPacket.maximumLength + 8, what: "a packet").bytes,
      let packet = try? SignedPacket(cachedForm: bytes), packet.publicKey == key, !packet.isExpired()
    else { return nil }
    return packet
  }

  /// Keeps a packet in the place of an older one.
  func keep(_ packet: SignedPacket) {
    let file = file(packet.publicKey)
    try? NewFile.makeFolders(above: file)
    guard let target = try? ReplacedFile(file, mode: 0o600) else { return }
    guard (try? target.write(packet.cachedForm)) != nil else { return }
    try? target.commit()
    removeOldest()
  }

  private func removeOldest() {
    guard let directory = opendir(path) else { return }
    defer { closedir(directory) }
    var files: [(name: String, time: Int)] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix(".") { continue }
      files.append((name, 0))
    }
    guard files.count > Self.maximumFiles else { return }
    for index in files.indices {
      var status = stat()
      if stat("\(path)/\(files[index].name)", &status) == 0 { files[index].time = Int(status.st_mtim.tv_sec) }
    }
    files.sort { $0.time < $1.time }
    for file in files.prefix(files.count - Self.maximumFiles) { unlink("\(path)/\(file.name)") }
  }
}
