import Cryptography
import Pkarr
import WireFormat

/// What a republisher remembers over a restart: which key was checked when, and packets that no source has.
///
/// As lines of text:
///
///     pubky-republish 1
///     round 1764412800000000 open
///     key 8pinxxgq… 1764412801000000 0 - -
///     key o4dksfbq… 1764412802000000 2 5f0c… 8f3b…
///     end
///
/// A key has the time of its last check in microseconds since 1970, failures in a row, the SHA-1 of the zone that was last
/// signed, and the canonical form of the packet; `-` for none. The file is hostile until proven otherwise: a line that
/// cannot be read is left out, and its key is checked as if it were new.
public struct RepublishState: Hashable, Sendable {
  /// What is remembered of a key.
  public struct Entry: Hashable, Sendable {
    /// When it was last checked; zero: never.
    public var checked = Timestamp.zero
    /// Checks in a row that failed.
    public var failures = 0
    /// What was last signed.
    public var zoneDigest: [UInt8]?
    /// The newest version that is known, if no source has it.
    public var packet: SignedPacket?

    /// Nothing is remembered.
    public init() {}
  }

  /// When the round began.
  public var roundStart = Timestamp.zero
  /// True if it was broken off.
  public var isRoundOpen = false
  /// The keys.
  public var entries: [PublicKey: Entry] = [:]
  /// Lines that could not be read.
  public var damagedLines = 0

  private static let heading = "pubky-republish 1"
  /// Bytes of packets beyond which the rest is left out, to be found again on the network: a file that was written can
  /// always be read.
  private static let packetBudget = 128 << 20
  /// Most keys that are read.
  public static let keyLimit = 1_000_000

  /// Nothing is remembered.
  public init() {}

  /// Reads the text; nil if it is something else altogether.
  public init?(_ text: RawSpan) {
    var lines = TextLines(text)
    guard lines.next() == Array(Self.heading.utf8) else { return nil }
    var isComplete = false
    while let line = lines.next() {
      let words = Self.words(line)
      switch words.first {
      case "round" where words.count == 3:
        guard let start = UInt64(words[1]), ["open", "done"].contains(words[2]) else {
          damagedLines += 1
          continue
        }
        roundStart = Timestamp(microseconds: start)
        isRoundOpen = words[2] == "open"
      case "end" where words.count == 1: isComplete = true
      case "key" where words.count == 6 && entries.count < Self.keyLimit:
        if !read(words) { damagedLines += 1 }
      case nil: continue
      default: damagedLines += 1
      }
    }
    if !isComplete { damagedLines += 1 }
  }

  private static func words(_ line: [UInt8]) -> [Substring] {
    guard let text = String(validating: line, as: UTF8.self) else { return ["?"] }
    return text.split(separator: " ", omittingEmptySubsequences: false)
  }

  private mutating func read(_ words: [Substring]) -> Bool {
    guard words[1].utf8.count == PublicKey.textLength, let key = try? PublicKey(parsing: String(words[1])),
      let checked = UInt64(words[2]), let failures = Int(words[3]), 0...1_000_000 ~= failures
    else { return false }
    var entry = Entry()
    entry.checked = Timestamp(microseconds: checked)
    entry.failures = failures
    if words[4] != "-" {
      guard words[4].utf8.count == 40, let digest = Hex.decode(String(words[4])) else { return false }
      entry.zoneDigest = digest
    }
    if words[5] != "-" {
      guard words[5].utf8.count <= 2 * SignedPacket.maximumLength, let bytes = Hex.decode(String(words[5])),
        let packet = try? SignedPacket(bytes), packet.publicKey == key
      else { return false }
      entry.packet = packet
    }
    entries[key] = entry
    return true
  }

  /// The text.
  public func encoded() -> [UInt8] {
    var text = Array("\(Self.heading)\nround \(roundStart.microseconds) \(isRoundOpen ? "open" : "done")\n".utf8)
    text.reserveCapacity(text.count + entries.count * 96)
    var packets = 0
    for (key, entry) in entries {
      text += "key \(key.z32) \(entry.checked.microseconds) \(entry.failures) ".utf8
      text += (entry.zoneDigest.map { Hex.encode($0) } ?? "-").utf8
      text.append(UInt8(ascii: " "))
      let packet = packets < Self.packetBudget ? entry.packet : nil
      if let packet {
        text += Hex.encode(packet.bytes).utf8
        packets += 2 * packet.bytes.count
      } else {
        text.append(UInt8(ascii: "-"))
      }
      text.append(UInt8(ascii: "\n"))
    }
    text += "end\n".utf8
    return text
  }

  /// How long ago a key was checked, by the clock of the wall; nil if it never was, or in the future, as after a jump of
  /// the clock.
  func age(of entry: Entry, at now: Timestamp) -> Duration? {
    guard entry.checked > .zero, entry.checked <= now else { return nil }
    return .microseconds(Int64(clamping: now.microseconds(since: entry.checked)))
  }

  /// True if the round may be gone on with: it was broken off, and less than an interval ago.
  func continuesRound(at now: Timestamp, interval: Duration) -> Bool {
    isRoundOpen && roundStart > .zero && roundStart <= now
      && Duration.microseconds(Int64(clamping: now.microseconds(since: roundStart))) < interval
  }
}

/// Lines of a text, without their ends.
struct TextLines {
  private let bytes: [UInt8]
  private var position = 0

  init(_ text: RawSpan) { bytes = [UInt8](text) }

  /// The next one; nil at the end.
  mutating func next() -> [UInt8]? {
    guard position < bytes.count else { return nil }
    let rest = bytes[position...]
    let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
    position = min(bytes.count, end + 1)
    var line = bytes[rest.startIndex..<end]
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return Array(line)
  }
}
