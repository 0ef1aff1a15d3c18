import Addresses
import Cryptography
import Glibc

/// Millions of damaged datagrams for one node that lives on, where the targets give each input to a fresh one.
///
/// `fuzz flood COUNT FOLDER…`: the files of the folders are the seeds. Ends with a trap or a failed ``require(_:_:)`` if
/// the node answers twice, too long, or not canonically, or keeps more than it may; the seed of the randomness is fixed,
/// so a find comes again.
struct Flood {
  private var random = RandomSource(seed: 1)
  private let seeds: [[UInt8]]
  private var answers = 0
  private var mostStored = 0

  init(folders: [String]) {
    seeds = folders.flatMap(Self.files).filter { !$0.isEmpty }
    require(!seeds.isEmpty, "no seeds in \(folders)")
  }

  /// Feeds `count` datagrams and prints what came of it.
  mutating func run(_ count: Int) {
    var node = NodeRun(network: .isolated)
    for number in 0..<count {
      let sender = Self.sender(random.next())
      node.deliver(node.completed(datagram(), for: sender), from: sender)
      require(node.answersToLast <= 1, "\(node.answersToLast) answers to one datagram")
      answers += node.answersToLast
      // A second passes now and then, or nothing would ever be overdue.
      if number % 256 == 0 { node.step(0x28, [UInt8](repeating: 0, count: 63)) }
      if number % 4096 == 0 {
        node.end()
        mostStored = max(mostStored, node.storedItems)
      }
    }
    node.end()
    print("flood: \(count) datagrams, \(answers) answers, at most \(mostStored) items stored, nothing found")
    require(count < 1_000_000 || mostStored > 0, "no put was ever good: the seeds have lost their meaning")
  }

  /// Strangers of the targets, and some hundred others.
  private static func sender(_ number: UInt64) -> Endpoint {
    let strangers = NodeRun.strangers
    if number & 3 != 0 { return strangers[Int(number >> 8) % strangers.count] }
    return Endpoint(IPAddress(45, 1, UInt8(truncatingIfNeeded: number >> 8), 7), port: 6881)
  }

  /// A seed, as it is or damaged in one to four places.
  private mutating func datagram() -> [UInt8] {
    var bytes = withTokenMark(pick())
    for _ in 0..<Int.random(in: 0...4, using: &random) { damage(&bytes) }
    return bytes
  }

  private mutating func pick() -> [UInt8] { seeds[Int.random(in: 0..<seeds.count, using: &random)] }

  /// Puts the mark in place of the token, for which the node's latest one for this sender stands.
  private func withTokenMark(_ seed: [UInt8]) -> [UInt8] {
    let name = Array("5:token".utf8)
    guard seed.count > name.count + 3,
      let start = (0..<seed.count - name.count - 2).first(where: { seed[$0..<$0 + name.count].elementsEqual(name) }),
      let colon = seed[(start + name.count)...].firstIndex(of: UInt8(ascii: ":")),
      let length = Int(String(decoding: seed[(start + name.count)..<colon], as: UTF8.self)),
      (0...64).contains(length), colon + 1 + length <= seed.count
    else { return seed }
    return Array(seed[..<(start + name.count)]) + Array("8:TOKENTOK".utf8) + seed[(colon + 1 + length)...]
  }

  private mutating func damage(_ bytes: inout [UInt8]) {
    if bytes.isEmpty { return }
    let place = Int.random(in: 0..<bytes.count, using: &random)
    switch random.next() % 8 {
    case 0, 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
    case 2: bytes[place] ^= 1 << UInt8(truncatingIfNeeded: random.next() % 8)
    case 3: bytes.insert(Array("0123456789:dlie-".utf8).randomElement(using: &random)!, at: place)
    case 4: bytes.remove(at: place)
    case 5: bytes.removeLast(bytes.count - place)
    case 6:
      let end = min(bytes.count, place + Int.random(in: 1...40, using: &random))
      bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
    default:
      let other = pick()
      bytes = Array(bytes[..<place]) + other[Int.random(in: 0..<other.count, using: &random)...]
    }
    if bytes.count > 2100 { bytes.removeLast(bytes.count - 2100) }
  }

  private static func files(_ folder: String) -> [[UInt8]] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    // In the order of their names, so that every run is the same.
    return names.filter { !$0.hasPrefix(".") }.sorted().compactMap { name in
      guard let file = fopen(folder + "/" + name, "r") else { return nil }
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 2100)
      let count = fread(&bytes, 1, bytes.count, file)
      return Array(bytes.prefix(count))
    }
  }
}
