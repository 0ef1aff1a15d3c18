import CommandLineTool

/// `pubky man`: for packagers.
enum ManCommand {
  static let command: Command = .init(
    "man", "Write the manual page", hidden: true,
    action: { _, console in
      let page = Pubky.program.manualPage(
        environment: [
          .init("NO_COLOR", "If set to anything, nothing is coloured."),
          .init("XDG_CONFIG_HOME", "Where the folder pubky with your keys is; ~/.config if not set."),
          .init("JOURNAL_STREAM", "Set by systemd: the log is then written for the journal."),
        ],
        files: [
          .init("~/.config/pubky/default.key", "The secret key that is used if none is named."),
          .init("~/.config/pubky/demo.key", "The sample key of pubky up."),
          .init("~/.config/pubky/demo.zone", "The zone that pubky up publishes under it."),
        ])
      try console.print(String(page.dropLast()))
    })
}
