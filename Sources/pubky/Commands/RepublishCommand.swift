import Addresses
import CommandLineTool
import EventLoops
import Logging
import Mainline
import Pkarr
import PlainText
import Republisher

/// `pubky republish`
enum RepublishCommand {
  private static let sources = Argument(
    "SOURCE", repeatable: true, completion: .file,
    "KEY=ZONE, a secret key, a packet, a list of keys (- for standard input), or a folder of packets")
  private static let every = Option<Duration>(
    "every", value: "DURATION", "Check each key this often (default: 1h)",
    parse: SharedOptions.duration(atLeast: .seconds(1)))
  private static let once = Flag("once", "Check each key once, then end")
  private static let threshold = Option<Int>(
    "threshold", value: "NODES", "Put a packet again when fewer nodes than this hold it (default: 10)",
    parse: SharedOptions.number(in: 1...CopyLimit.threshold))
  private static let concurrency = Option<Int>(
    "concurrency", value: "KEYS", "Check so many keys at the same time (default: 32)",
    parse: SharedOptions.number(in: 1...CopyLimit.concurrency))
  private static let rate = Option<Int>(
    "rate", value: "KEYS", "Check at most so many keys a second (default: 50; 0: as many as can be)",
    parse: SharedOptions.number(in: 0...CopyLimit.rate))
  private static let state = Option(
    "state", value: "FILE", completion: .file, "Remember in this file what was done, and go on there after a restart")
  private static let signAnew = Flag(
    "sign-anew", "Sign the records of secret keys anew each time, with the time of the check")

  private static let metrics = Option<Endpoint>(
    "metrics", value: "ADDRESS:PORT", "Serve figures for Prometheus at http://ADDRESS:PORT/metrics",
    parse: { (text: String) throws(InvalidValue) in
      guard let endpoint = Endpoint(text) else {
        throw InvalidValue(
          "\"\(text)\" is not ADDRESS:PORT", advice: "Write an address of this machine: 127.0.0.1:9882.")
      }
      return endpoint
    })

  /// What the options take at most.
  private enum CopyLimit {
    static let threshold = 72
    static let concurrency = 4096
    static let rate = 1_000_000
  }

  static let command: Command = .init(
    "republish", "Keep records alive, yours and those of others",
    discussion: """
      Nodes forget what they store. This checks on how many of the nodes it belongs to each packet is, and puts it again \
      when there are too few; packets of others need no secret key. A newer version that somebody publishes takes the \
      place of the older one. A folder is the packet store of a relay, which is only read, or holds one packet a file.
      """,
    arguments: [sources.specification],
    options: [
      every.specification, once.specification, threshold.specification, concurrency.specification, rate.specification,
      state.specification, signAnew.specification, metrics.specification, SharedOptions.bootstrap.specification,
      SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky republish my.key=my.zone --every 1h", "Keep your records alive, and follow changes of the file"),
      .init("pubky republish keys.txt --state keys.state", "Keep alive what others have published under these keys"),
      .init("pubky republish /var/lib/pubky/pkarr-cache --once", "Look after what a relay has cached, once"),
    ],
    action: { arguments, console in
      var policy = RepublishPolicy()
      let isOnce = arguments[once]
      if let interval = arguments[every] { policy.interval = interval }
      if let threshold = arguments[threshold] { policy.threshold = threshold }
      if let concurrency = arguments[concurrency] { policy.concurrency = concurrency }
      if let rate = arguments[rate] { policy.rate = rate == 0 ? nil : Double(rate) }
      if isOnce { policy.firstRetry = .seconds(1) }
      var reader = RepublishSources(console, signsAnew: arguments[signAnew])
      for source in arguments.all(sources) { try reader.read(source) }
      try reader.requireSomething()
      let run = RepublishRun(
        policy: policy, isOnce: isOnce, sources: reader, stateFile: arguments[state].map(RepublishStateFile.init),
        bootstrap: arguments.all(SharedOptions.bootstrap), metrics: arguments[metrics], console: console,
        logger: LogOptions.logger(arguments))
      try await run.run()
    })
}
