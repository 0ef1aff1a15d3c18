import CommandLineTool
import Cryptography
import Glibc
import Pkarr
import PkarrStore
import PlainText
import Republisher

/// What `pubky republish` is told to keep alive. Files and folders may hold anything: what is no packet or key is told and
/// left out, and the rest is kept alive.
struct RepublishSources: Sendable {
  /// A zone file whose changes are followed.
  struct Zone: Sendable {
    var keypair: Keypair
    var path: String
    var state: InputFile.State?
  }

  /// What is kept alive.
  private(set) var keys: [RepublishedKey] = []
  private(set) var zones: [Zone] = []
  private let console: Console
  private let signsAnew: Bool

  /// Most keys in all: each takes some hundred bytes and its packet.
  static let keyLimit = RepublishState.keyLimit
  private static let listLimit = 128 << 20
  /// Names of files that are told one by one.
  private static let complaintLimit = 5

  init(_ console: Console, signsAnew: Bool) {
    self.console = console
    self.signsAnew = signsAnew
  }

  /// Reads one source.
  ///
  /// - Throws: `CommandError` if it cannot be read at all, or a zone or key is wrong.
  mutating func read(_ source: String) throws(CommandError) {
    if !KeyFile.exists(source), source != "-", let (key, zone) = Self.pair(source) { return try readZone(key, zone) }
    var status = stat()
    if source != "-", stat(source, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      return PacketStoreReader.hasStore(source) ? try readStore(source) : try readFolder(source)
    }
    try readFile(source)
  }

  /// - Throws: `CommandError` if no source has a key.
  func requireSomething() throws(CommandError) {
    if keys.isEmpty {
      throw .input("no source has a key or packet", advice: "Name a key file, packets, or a list of public keys.")
    }
  }

  private mutating func add(_ key: RepublishedKey) throws(CommandError) {
    guard keys.count < Self.keyLimit else {
      throw .input("there are more than \(Self.keyLimit) keys", advice: "Share them among several runs.")
    }
    keys.append(key)
  }

  // MARK: - Own keys

  /// `KEY=ZONE`
  private static func pair(_ source: String) -> (key: String, zone: String)? {
    guard let middle = source.firstIndex(of: "="), middle != source.startIndex else { return nil }
    let zone = source[source.index(after: middle)...]
    return zone.isEmpty ? nil : (String(source[..<middle]), String(zone))
  }

  private mutating func readZone(_ key: String, _ path: String) throws(CommandError) {
    let zone = Zone(keypair: try KeyFile.read(key, console), path: path, state: InputFile.state(path))
    try add(try read(zone))
    zones.append(zone)
  }

  /// A zone as it stands in its file now.
  ///
  /// - Throws: `CommandError` if it is wrong, or does not fit into a packet.
  func read(_ zone: Zone) throws(CommandError) -> RepublishedKey {
    let read = try ZoneInput.read(zone.path, for: zone.keypair.publicKey, console)
    PacketOutput.warnIfTooLargeForSome(try ZoneInput.sign(read, by: zone.keypair, timestamp: nil), console)
    let digest = SHA1.hash(Array(read.text.utf8)).bytes
    return RepublishedKey(
      RepublishedKey.Owner(zone.keypair, zone: .init(records: read.records, digest: digest), signsAnew: signsAnew))
  }

  // MARK: - Files

  private mutating func readFile(_ path: String) throws(CommandError) {
    let bytes = try InputFile.read(path, limit: Self.listLimit, what: "a list of keys").bytes
    let name = path.split(separator: "/").last.map(String.init) ?? path
    if let packet = PacketFileForm.packet(bytes, named: name) {
      return try add(RepublishedKey(packet, isVerified: true))
    }
    if Self.looksLikeSecretKey(bytes), path != "-" {
      return try add(RepublishedKey(RepublishedKey.Owner(try KeyFile.read(path, console), signsAnew: signsAnew)))
    }
    let list = KeyListText(bytes.span.bytes, limit: Self.keyLimit - keys.count)
    if list.keys.isEmpty {
      throw .input(
        "\(InputFile.displayName(path)) is neither a list of keys, a packet nor a secret key",
        details: list.flaws.prefix(1).map { "Line \($0.line): \($0.error)" })
    }
    if list.flawCount > 0 {
      console.warn(
        "source",
        "\(InputFile.displayName(path)): \(NumberText.count(list.flawCount, "line")) without a key left out",
        details: list.flaws.map { "Line \($0.line): \($0.error)" })
    }
    for key in list.keys { try add(RepublishedKey(key)) }
    if list.isCut { throw .input("\(InputFile.displayName(path)) holds more than \(Self.keyLimit) keys") }
  }

  /// True for 64 hexadecimal digits: then whatever is wrong is said of a secret key.
  private static func looksLikeSecretKey(_ bytes: [UInt8]) -> Bool {
    guard bytes.count <= 4096 else { return false }
    let digits = bytes.filter { $0 > 0x20 }
    return digits.count == 64 && digits.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
  }

  // MARK: - Folders

  private mutating func readStore(_ path: String) throws(CommandError) {
    do throws(StoreError) {
      for packet in try PacketStoreReader.packets(of: path, limit: Self.keyLimit) {
        keys.append(RepublishedKey(packet))
      }
    } catch {
      throw .input("\(path): \(error)")
    }
    guard keys.count <= Self.keyLimit else { throw .input("there are more than \(Self.keyLimit) keys") }
  }

  private mutating func readFolder(_ path: String) throws(CommandError) {
    guard let directory = opendir(path) else { throw .input("\(path) cannot be read: \(Console.text(ofError: errno))") }
    defer { closedir(directory) }
    var leftOut: [String] = []
    var leftOutCount = 0
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix(".") { continue }
      if let packet = Self.packet("\(path)/\(name)", named: name) {
        try add(RepublishedKey(packet, isVerified: true))
      } else {
        leftOutCount += 1
        if leftOut.count < Self.complaintLimit { leftOut.append(name) }
      }
    }
    if leftOutCount > 0 {
      console.warn(
        "source", "\(path): \(NumberText.count(leftOutCount, "file")) without a signed packet left out",
        details: leftOut)
    }
  }

  /// The packet of a file; nil if it is none, or no regular file: a pipe must not hold up the others.
  private static func packet(_ path: String, named name: String) -> SignedPacket? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= PacketFileForm.maximumLength,
      let bytes = try? InputFile.read(path, limit: PacketFileForm.maximumLength, what: "a packet").bytes
    else { return nil }
    return PacketFileForm.packet(bytes, named: name)
  }
}
