import CommandLineTool
import Logging
import Mainline
import MainlineProtocol
import PkarrClient
import PlainText

/// `pubky resolve --watch`: looks again and again, and shows each newer version. A network that goes away is waited for.
struct ResolveWatch: Sendable {
  let question: ResolveCommand.Question
  let interval: Duration
  /// How relays are used; nil: the DHT alone.
  let relays: PkarrClientConfiguration?
  let console: Console
  let logger: Logger

  /// Runs until its task is cancelled.
  func run() async throws {
    if let relays { return try await run(relays) }
    var node: MainlineNode?
    var known: Int64?
    var lastNote = ""
    /// Says something once, not every time that it is still so.
    func note(_ code: String, _ text: String) {
      if text != lastNote { console.isJSON ? console.warn(code, text) : console.note(text) }
      lastNote = text
    }
    while true {
      do throws(QueryFailure) {
        let current = try await Network.connected(node, question.bootstrap)
        node = current
        let newest = try await PacketExchange.newest(of: question.key, newerThan: known, from: current)
        logger.debug("resolve.looked", ["newest": JSON(newest.seq), "known": known.map { JSON($0) } ?? .null])
        if case .nothing = newest {
          if known == nil { note("not_found", "Nothing is published under \(question.key.z32) yet.") }
        } else if newest.seq > known ?? -1 {
          known = newest.seq
          lastNote = ""
          show(newest)
        }
      } catch {
        if error == .cancelled || Task.isCancelled { throw CancellationError() }
        logger.warning("resolve.failed", ["reason": "\(error)"])
        note("network", "No DHT node answers. Looking on, every \(DurationText.describe(interval)).")
        // A new node looks for the network afresh.
        try? await node?.shutdown()
        node = nil
      }
      try await Task.sleep(for: interval)
    }
  }

  /// The same over relays.
  private func run(_ configuration: PkarrClientConfiguration) async throws {
    let client = try await RelayAccess.start(configuration)
    for await result in client.watch(question.key, every: interval) {
      switch result {
      case .success(let resolution): show(.packet(PacketExchange.Found(resolution)))
      case .failure(.notFound):
        let text = "Nothing is published under \(question.key.z32) yet."
        console.isJSON ? console.warn("not_found", text) : console.note(text)
      case .failure(let error):
        logger.warning("resolve.failed", ["reason": .string(error.name)])
        let text = "Nobody answers. Looking on, every \(DurationText.describe(interval))."
        console.isJSON ? console.warn("network", text) : console.note(text)
      }
    }
    await client.shutdown()
  }

  private func show(_ newest: PacketExchange.Newest) {
    switch newest {
    case .packet(let found):
      // A reader that is gone ends the process by SIGPIPE; a full disk is no reason to stop watching.
      try? ResolveCommand.show(found, question, console, mustMatch: false)
      if console.isForPerson { try? console.print("") }
    case .invalid(let seq, let error):
      console.report(ResolveCommand.invalid(question, seq, error), program: Pubky.program.root.name)
    case .nothing: break
    }
  }
}
