import CommandLineTool
import Glibc

/// The command `pubky`.
@main
struct Pubky {
  static let version = "0.1.0"

  static let program: Program = .init(
    Command(
      group: "pubky", "Publish and resolve records under a key of your own",
      discussion: """
        A key of yours is a top-level domain that nobody gave you and nobody can take away. Its records stand in a small \
        signed packet, kept by the nodes of the Mainline DHT of BitTorrent. This command makes keys, signs zone files, \
        publishes them, looks up the records of others, serves and fetches pages, and runs DHT nodes.
        """,
      options: LogOptions.all,
      examples: [
        .init("pubky key new --out my.key", "Make a key"),
        .init("pubky publish my.zone --key my.key", "Publish the records of a zone file"),
        .init("pubky resolve 8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo", "Look up the records of a key"),
      ],
      [
        UpCommand.command, KeyCommands.group, PublishCommand.command, RepublishCommand.command, ResolveCommand.command,
        GetCommand.command, ServeCommand.command, PacketCommands.group, RelayCommand.command, DNSCommand.command,
        DHTCommands.group, TestnetCommand.command, SimulateCommands.group,
        CompletionsCommand.command, ManCommand.command,
      ]),
    version: version)

  static func main() async {
    // A reader that goes away (`| head`) ends the command quietly, as it does other tools.
    signal(SIGPIPE, SIG_DFL)
    let status = await program.run(Array(CommandLine.arguments.dropFirst()))
    exit(status)
  }
}
