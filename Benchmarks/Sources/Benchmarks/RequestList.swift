import CPeers
import Foundation
import Pkarr

/// Requests for packets, one after another, each for another key: a file, and a script with which wrk reads it.
struct RequestList {
  enum Method: String {
    case get = "GET"
    case put = "PUT"
  }

  /// What wrk measured.
  struct Outcome {
    var requests: Double
    var perSecond: Double
    /// Answers with another status than 2xx.
    var failures: Double
    /// Latencies in milliseconds.
    var p50: Double
    var p99: Double
  }

  private let script: String
  private let records: String
  private let payloadLength: Int
  private let packet: SignedPacket?

  /// Packets of 20,000 keys.
  init(_ folder: URL) throws {
    var records: [UInt8] = []
    var last: SignedPacket?
    for index in 0..<20_000 {
      let packet = try SignedPacket(signedBy: Keypair()) {
        A("www", "203.0.113.7", ttl: .hours(1))
        TXT("_number", String(format: "%05d", index) + String(repeating: "x", count: 95), ttl: .hours(1))
      }
      records += packet.publicKey.z32.utf8
      records += packet.relayPayload
      last = packet
    }
    try self.init(records, payloadLength: last?.relayPayload.count ?? 0, packet: last, folder)
  }

  /// Keys whose packets are there.
  init(keys: [String], _ folder: URL) throws {
    try self.init(keys.flatMap { Array($0.utf8) }, payloadLength: 0, packet: nil, folder)
  }

  private init(_ records: [UInt8], payloadLength: Int, packet: SignedPacket?, _ folder: URL) throws {
    self.payloadLength = payloadLength
    self.packet = packet
    self.records = folder.appending(path: "requests-\(records.count)").path
    script = folder.appending(path: "requests.lua").path
    try Data(records).write(to: URL(filePath: self.records))
    try Self.lua.write(toFile: script, atomically: true, encoding: .utf8)
  }

  /// Takes the records in turn: `wrk … -- FILE METHOD PAYLOAD-LENGTH COUNT FIRST`; ends after COUNT answers (0: with the
  /// time).
  private static let lua = """
    local file, method, length, count, limit, size, index, answers
    function init(arguments)
      file = assert(io.open(arguments[1], "rb")):read("*a")
      method, length, limit = arguments[2], tonumber(arguments[3]), tonumber(arguments[4])
      size, index, answers = 52 + length, tonumber(arguments[5]), 0
      count = math.floor(#file / size)
      if limit > 0 then
        response = function()
          answers = answers + 1
          if answers >= limit then wrk.thread:stop() end
        end
      end
    end
    function request()
      local start = index % count * size + 1
      index = index + 1
      local body = nil
      if method == "PUT" then body = file:sub(start + 52, start + size - 1) end
      return wrk.format(method, "/" .. file:sub(start, start + 51), nil, body)
    end
    function done(summary, latency)
      print(string.format("figures %d %f %d %f %f", summary.requests, summary.duration, summary.errors.status
        + summary.errors.timeout + summary.errors.read + summary.errors.write, latency:percentile(50),
        latency:percentile(99)))
    end
    """

  /// Puts or asks for the packets, one after another, on so many connections.
  ///
  /// - Parameters:
  ///   - limit: How many are used, each once; nil: as many as the time allows, then from the first one again.
  ///   - first: The one to begin with.
  func run(
    _ method: Method, port: String, connections: Int, seconds: Int, atMost limit: Int? = nil, from first: Int = 0
  ) throws -> Outcome {
    let text = try WebProcess.generate(
      "wrk",
      [
        "-t1", "-c\(connections)", "-d\(seconds)", "--timeout", "20", "-s", script, "http://127.0.0.1:\(port)/", "--",
        records, method.rawValue, "\(payloadLength)", "\(limit ?? 0)", "\(first)",
      ])
    let figures = text.split(separator: "\n").first { $0.hasPrefix("figures") }?.split(separator: " ").compactMap {
      Double($0)
    }
    guard let figures, figures.count == 5, figures[0] > 0 else { throw WebProcess.Failure.noFigures(text) }
    return Outcome(
      requests: figures[0], perSecond: figures[0] * 1e6 / figures[1], failures: figures[2], p50: figures[3] / 1000,
      p99: figures[4] / 1000)
  }

  /// One signature of these packets checked by libsodium alone, in microseconds.
  func verificationMicroseconds() -> Double {
    guard let packet else { return .nan }
    let (signable, key, signature) = (packet.signableBytes, packet.publicKey.bytes, packet.signature.bytes)
    let start = thread_cpu_nanoseconds()
    for _ in 0..<2000 where sodium_verify(signature, signable, signable.count, key) != 1 {
      fatalError("libsodium refuses the signature")
    }
    return Double(thread_cpu_nanoseconds() - start) / 2e6
  }
}
