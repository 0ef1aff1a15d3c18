import DNSResolution
import DNSWire
import PlainText

/// An answer and the steps that led to it, for those who run a server.
struct LookupReport {
  let steps: [ResolutionTrace.Step]
  /// The message; nil if there is none.
  let reply: [UInt8]?

  /// `steps` with `microseconds`, `source` and `text`; `answer` as ``AnswerJSON`` writes it, or null.
  var json: JSON {
    [
      "steps": .array(
        steps.map { step in
          [
            "microseconds": JSON(Self.microseconds(step)), "source": .string(step.source.rawValue),
            "text": .string(step.text),
          ]
        }),
      "answer": reply.flatMap { AnswerJSON.object($0, provenance: nil) } ?? .null,
    ]
  }

  /// The same as lines of words between tabs: `step MICROSECONDS SOURCE TEXT`, `code NUMBER`,
  /// `record SECTION NAME TTL TYPE DATA`.
  var text: String {
    var lines = steps.map { step in
      ["step", "\(Self.microseconds(step))", step.source.rawValue, ControlCharacters.escape(step.text)]
    }
    if let reply, let readable = AnswerFreshness.readable(reply), let message = try? Message(parsing: readable) {
      lines.append(["code", "\(message.header.responseCode)"])
      for (section, records) in [("answer", message.answers), ("authority", message.authorities)] {
        for record in records {
          lines.append([
            "record", section, record.name.absoluteDescription, "\(record.ttl)", "\(record.type)",
            ControlCharacters.escape(record.data.presentation),
          ])
        }
      }
    }
    return lines.map { $0.joined(separator: "\t") + "\n" }.joined()
  }

  private static func microseconds(_ step: ResolutionTrace.Step) -> Int64 {
    let (seconds, attoseconds) = step.after.components
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
  }
}
