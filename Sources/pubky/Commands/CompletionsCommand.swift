import CommandLineTool

/// `pubky completions`
enum CompletionsCommand {
  private static let shell = Argument<Shell>("SHELL", "bash, zsh or fish")

  static let command: Command = .init(
    "completions", "Write a completion script for a shell", arguments: [shell.specification],
    examples: [.init("pubky completions bash > ~/.local/share/bash-completion/completions/pubky", "For bash")],
    action: { arguments, console in
      let script = Pubky.program.completions(for: try arguments.required(shell))
      try console.print(String(script.dropLast()))
    })
}
