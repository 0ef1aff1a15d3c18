import CommandLineTool

/// Commands about signed packets, without a network.
enum PacketCommands {
  static let group: Command = .init(
    group: "packet", "Sign and inspect packets without a network",
    discussion: """
      A signed packet is a key, a signature, a timestamp and at most 1000 bytes of DNS records. A relay payload is the \
      same without the key.
      """,
    [PacketSignCommand.command, PacketInspectCommand.command])
}
