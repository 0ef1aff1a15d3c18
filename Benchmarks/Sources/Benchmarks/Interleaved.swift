import CPeers

/// A piece of work to time.
struct Work {
  let name: String
  let run: () -> Void

  init(_ name: String, _ run: @escaping () -> Void) {
    self.name = name
    self.run = run
  }
}

/// Times pieces of work against each other: many short rounds, each piece in each round, so that whatever else this
/// machine does meets all of them alike; thread CPU time; the median of the rounds.
///
/// - Returns: nanoseconds for one run of each piece.
func medianNanoseconds(of works: [Work], rounds: Int = 25, roundNanoseconds: Int64 = 4_000_000) -> [Double] {
  let repetitions = works.map { work -> Int in
    for _ in 0..<100 { work.run() }
    let start = thread_cpu_nanoseconds()
    for _ in 0..<100 { work.run() }
    return Int(max(1, roundNanoseconds * 100 / max(1, thread_cpu_nanoseconds() - start)))
  }
  var samples = works.map { _ in [Double]() }
  for _ in 0..<rounds {
    for (index, work) in works.enumerated() {
      let start = thread_cpu_nanoseconds()
      for _ in 0..<repetitions[index] { work.run() }
      samples[index].append(Double(thread_cpu_nanoseconds() - start) / Double(repetitions[index]))
    }
  }
  return samples.map(median)
}

/// The middle value.
func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

/// The value below which `fraction` of the values lie.
func quantile(_ values: [Double], _ fraction: Double) -> Double {
  guard !values.isEmpty else { return .nan }
  return values.sorted()[min(values.count - 1, Int(Double(values.count) * fraction))]
}

/// Keeps results alive, so that the optimiser cannot drop the work.
nonisolated(unsafe) var sink = 0
