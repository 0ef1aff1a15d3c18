import CommandLineTool
import Logging
import Pkarr
import PlainText
import WireFormat

/// `pubky packet inspect`
enum PacketInspectCommand {
  private static let input = Argument(
    "PACKET", completion: .file, "Hexadecimal digits, or a file that holds them or the bytes, or - for standard input")
  private static let key = Option<PublicKey>(
    "key", short: "k", value: "KEY", "The input is a relay payload of this key", parse: KeyArgument.parse)

  static let command: Command = .init(
    "inspect", "Verify a signed packet and show what it holds", arguments: [input.specification],
    options: [key.specification, SharedOptions.json.specification],
    examples: [.init("pubky packet sign my.zone --key my.key | pubky packet inspect -", "Sign, then look at it")],
    action: { arguments, console in try run(arguments, console) })

  private static func run(_ arguments: ParsedArguments, _ console: Console) throws(CommandError) {
    let input = try arguments.required(input)
    let bytes = try read(input)
    let packet = try verify(bytes, key: arguments[key], name: isDigits(input) ? "PACKET" : InputFile.displayName(input))
    if console.isJSON {
      let fields = PacketOutput.fields(packet) + [.init("signature", .string(Hex.encode(packet.signature.bytes)))]
      return try console.print(json: .object(fields))
    }
    let signed = WallClockTime(microseconds: packet.timestamp.microseconds)
    try console.print(
      "Key          \(console.style.bold(packet.publicKey.z32))",
      "Signature    \(console.style.green("valid"))",
      "Signed       \(signed) (\(PacketOutput.age(packet)); timestamp \(packet.timestamp.microseconds))",
      "Holds        \(PacketOutput.size(packet))")
    PacketOutput.warnIfTooLargeForSome(packet, console)
    if packet.recordCount > 0 {
      try console.print("")
      try console.print(PacketOutput.table(packet.records, in: packet.publicKey))
    }
  }

  /// Whether a word can only be meant as the packet itself.
  private static func isDigits(_ word: String) -> Bool {
    guard !word.isEmpty, Hex.decode(word) != nil else { return false }
    // A few digits may be the name of a file; no file has a name as long as a packet.
    return word.utf8.count > 255 || !KeyFile.exists(word)
  }

  private static func read(_ input: String) throws(CommandError) -> [UInt8] {
    if isDigits(input), let bytes = Hex.decode(input) { return bytes }
    // Room for white space between the digits.
    let contents = try InputFile.read(input, limit: 16_384, what: "a signed packet").bytes
    let digits = contents.filter { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
    return Hex.decode(String(decoding: digits, as: UTF8.self)) ?? contents
  }

  private static func verify(_ bytes: [UInt8], key: PublicKey?, name: String) throws(CommandError) -> SignedPacket {
    do throws(SignedPacketError) {
      guard let key else { return try SignedPacket(bytes) }
      return try SignedPacket(relayPayload: bytes, publicKey: key)
    } catch {
      throw explain(error, byteCount: bytes.count, key: key, name: name)
    }
  }

  private static func explain(
    _ error: SignedPacketError, byteCount: Int, key: PublicKey?, name: String
  ) -> CommandError {
    let whatItIs = key == nil ? "a signed packet" : "a relay payload"
    switch error {
    case .tooShort, .tooLarge:
      let least = key == nil ? SignedPacket.prefixLength : SignedPacket.prefixLength - 32
      return .input(
        "\(name): \(whatItIs) has \(least) to \(least + SignedPacket.maximumMessageLength) bytes; this has \(byteCount)",
        advice: key == nil ? "If it is a relay payload, name its key with --key." : nil)
    case .invalidPublicKey(let error):
      return .input(
        "\(name): byte 0: \(error)", advice: "If it is a relay payload, name its key with --key.")
    case .invalidSignature:
      return .input(
        "\(name): byte \(key == nil ? 32 : 0): \(error)",
        advice: key == nil
          ? "The bytes were changed, or it is a relay payload: then name its key with --key."
          : "The bytes were changed, or another key signed them.")
    case .malformedMessage(let fault):
      let start = key == nil ? SignedPacket.prefixLength : SignedPacket.prefixLength - 32
      return .input(
        "\(name): byte \(start + fault.offset): the DNS packet is malformed",
        details: ["\(fault) of the DNS packet, which begins at byte \(start)"],
        advice: "The signature is valid: whoever holds the key signed something that is no DNS packet.")
    }
  }
}
